// Reads the stream of a chat or of a completion to its end.
import { createParser } from "eventsource-parser";

import { fetchWithKey } from "../api/client";
import { ApiError } from "../api/error";
import { type Progress, progressIn } from "./progress";
import { asFetch, type PlayRequest } from "./request";

/** A piece of the answer; `thought`: of what the model thinks before it answers. */
export interface Piece {
  text: string;
  thought: string;
}

export interface Listener {
  onPiece(piece: Piece): void;
  onProgress(progress: Progress): void;
}

/** `finish`: why it ended; `tokens`: as the engine counted, else the pieces that came. */
export interface Ending {
  finish: string | null;
  tokens: number;
  promptTokens: number | null;
}

interface Chunk {
  error?: { message?: string; code?: string | number | null };
  choices?: {
    text?: string | null;
    delta?: { content?: string | null; reasoning?: string | null; reasoning_content?: string | null };
    finish_reason?: string | null;
  }[];
  usage?: { completion_tokens?: number; prompt_tokens?: number } | null;
}

/** Throws an ApiError for a refusal, also one within the stream; ends early with `signal`. */
export async function generate(
  request: PlayRequest,
  listener: Listener,
  signal: AbortSignal,
): Promise<Ending> {
  const response = await fetchWithKey(request.path, { ...asFetch(request), signal });
  if (!response.ok) throw await ApiError.of(response);
  const reading = new Reading(listener);
  const body = response.body?.pipeThrough(new TextDecoderStream());
  if (!body) throw new ApiError(response.status, "", "The answer has no body.");
  for await (const text of chunksOf(body)) reading.feed(text);
  return reading.end();
}

class Reading {
  private readonly ending: Ending = { finish: null, tokens: 0, promptTokens: null };
  private readonly parser;
  private failure: ApiError | null = null;
  private done = false;

  constructor(private readonly listener: Listener) {
    this.parser = createParser({
      onEvent: ({ data }) => this.onData(data),
      onComment: (comment) => {
        const progress = progressIn(comment);
        if (progress) this.listener.onProgress(progress);
      },
    });
  }

  feed(text: string): void {
    this.parser.feed(text);
    if (this.failure) throw this.failure;
  }

  end(): Ending {
    if (!this.done) throw new ApiError(0, "broken_off", "The answer broke off before its end.");
    return this.ending;
  }

  private onData(data: string): void {
    if (data === "[DONE]") {
      this.done = true;
      return;
    }
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) {
      this.failure ??= new ApiError(0, String(chunk.error.code ?? ""), chunk.error.message ?? data);
      return;
    }
    this.onChunk(chunk);
  }

  private onChunk(chunk: Chunk): void {
    for (const choice of chunk.choices ?? []) {
      const text = choice.text ?? choice.delta?.content ?? "";
      const thought = choice.delta?.reasoning ?? choice.delta?.reasoning_content ?? "";
      if (text || thought) {
        this.ending.tokens += 1;
        this.listener.onPiece({ text, thought });
      }
      this.ending.finish = choice.finish_reason ?? this.ending.finish;
    }
    this.ending.tokens = chunk.usage?.completion_tokens ?? this.ending.tokens;
    this.ending.promptTokens = chunk.usage?.prompt_tokens ?? this.ending.promptTokens;
  }
}

/** Chromium and Firefox can iterate a stream, Safari cannot. */
async function* chunksOf(body: ReadableStream<string>): AsyncGenerator<string> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}
