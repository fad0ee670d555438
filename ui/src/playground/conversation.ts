// A conversation with a model and the turn that is being written; pure but for the clock it is given.
import type { Ending } from "./generate";

export interface Turn {
  role: "user" | "assistant";
  content: string;
  thought?: string;
  figures?: Figures;
}

/** How fast an answer came. `firstMs`: to its first token; rate: of the tokens after it. */
export interface Figures {
  tokens: number;
  firstMs: number | null;
  tokensPerS: number | null;
  finish: string | null;
}

/** Marks of one answer's time, in milliseconds of one clock. */
export interface Times {
  begin: number;
  first: number | null;
  last: number | null;
}

export function figuresOf({ begin, first, last }: Times, ending: Ending): Figures {
  const after = first !== null && last !== null ? last - first : 0;
  return {
    tokens: ending.tokens,
    firstMs: first === null ? null : first - begin,
    tokensPerS: after > 0 && ending.tokens > 1 ? ((ending.tokens - 1) / after) * 1000 : null,
    finish: ending.finish,
  };
}

export interface ChatOptions {
  system: string;
  temperature: string;
  maxTokens: string;
}

export const NO_OPTIONS: ChatOptions = { system: "", temperature: "", maxTokens: "512" };

/** The members of a request that follow from the options; what is empty is left to the model. */
export function optionMembers(options: ChatOptions): Record<string, number> {
  const given: Record<string, number> = {};
  if (options.maxTokens !== "") given.max_tokens = Number(options.maxTokens);
  if (options.temperature !== "") given.temperature = Number(options.temperature);
  return given;
}

/** The body of the next turn's request. */
export function chatBody(model: string, turns: readonly Turn[], options: ChatOptions): Record<string, unknown> {
  const system = options.system.trim() ? [{ role: "system", content: options.system }] : [];
  const messages = [...system, ...turns.map(({ role, content }) => ({ role, content }))];
  return { model, messages, ...optionMembers(options), ...STREAMED };
}

export const STREAMED = { stream: true, stream_options: { include_usage: true } };
