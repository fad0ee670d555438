// A text that a model is writing: what there is of it, what it waits for, and how fast it comes.
import { useCallback, useEffect, useRef, useState } from "react";

import { type Figures, figuresOf, type Times } from "./conversation";
import { type Ending, generate, type Piece } from "./generate";
import type { Progress } from "./progress";
import type { PlayRequest } from "./request";

export interface Generation {
  running: boolean;
  text: string;
  thought: string;
  progress: Progress | null;
  error: unknown;
}

/** What a generation ended as; `stopped`: by the person. */
export interface Written {
  text: string;
  thought: string;
  figures: Figures;
  stopped: boolean;
}

const IDLE: Generation = { running: false, text: "", thought: "", progress: null, error: null };

/** `start` resolves with what was written, or null after an error before the first piece. */
export function useGeneration() {
  const [state, setState] = useState<Generation>(IDLE);
  const current = useRef<AbortController | null>(null);
  const stop = useCallback(() => current.current?.abort(), []);
  useEffect(() => () => current.current?.abort(), []);

  const start = useCallback(async (request: PlayRequest): Promise<Written | null> => {
    const mine = new AbortController();
    current.current?.abort();
    current.current = mine;
    setState({ ...IDLE, running: true });
    const writing = new Writing((change) => {
      if (current.current === mine) setState((before) => ({ ...before, ...change }));
    });
    const { error, ending } = await writing.of(request, mine.signal);
    writing.show();
    const stopped = mine.signal.aborted;
    const shown = stopped ? null : error;
    if (current.current === mine) setState({ ...IDLE, error: shown });
    if (error !== null && !writing.text && !writing.thought) return null;
    const figures = figuresOf(writing.times, ending ?? writing.ending);
    return { text: writing.text, thought: writing.thought, figures, stopped };
  }, []);

  return { ...state, start, stop };
}

/** Gathers pieces and shows them once a frame: a fast engine sends more than can be drawn. */
class Writing {
  text = "";
  thought = "";
  times: Times = { begin: performance.now(), first: null, last: null };
  ending: Ending = { finish: null, tokens: 0, promptTokens: null };
  private frame = 0;

  constructor(private readonly onChange: (change: Partial<Generation>) => void) {}

  async of(request: PlayRequest, signal: AbortSignal): Promise<{ error: unknown; ending: Ending | null }> {
    const listener = {
      onPiece: (piece: Piece) => this.add(piece),
      onProgress: (progress: Progress) => this.onChange({ progress }),
    };
    try {
      return { error: null, ending: await generate(request, listener, signal) };
    } catch (error) {
      return { error, ending: null };
    }
  }

  private add({ text, thought }: Piece): void {
    const now = performance.now();
    this.times = { ...this.times, first: this.times.first ?? now, last: now };
    this.ending = { ...this.ending, tokens: this.ending.tokens + 1 };
    this.text += text;
    this.thought += thought;
    if (!this.frame) this.frame = requestAnimationFrame(() => this.show());
  }

  show(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.onChange({ text: this.text, thought: this.thought, progress: null });
  }
}
