import { useCallback, useEffect, useState } from "react";

import { sentence } from "../api/error";

export interface Asked<T> {
  value: T | null;
  problem: string;
  asking: boolean;
  /** Ask once more; what is shown stays until the answer is there. */
  again: () => void;
}

/** The answer of a request, asked when `key` changes and again `everyMs` after each answer. */
export function useAsked<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  key: string,
  everyMs?: number,
): Asked<T> {
  const [state, setState] = useState<{ key: string; value: T | null; problem: string; asking: boolean }>(
    { key, value: null, problem: "", asking: true },
  );
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((was) => was + 1), []);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setState((was) => ({ key, value: was.key === key ? was.value : null, problem: "", asking: true }));
    const answered = ask(stop.signal).then(
      (value) => setState({ key, value, problem: "", asking: false }),
      (error: unknown) => {
        if (stop.signal.aborted) return;
        setState((was) => ({ ...was, problem: sentence(error), asking: false }));
      },
    );
    // Not by the clock: an answer that takes longer would be cut off by the next request, each time.
    void answered.then(() => {
      if (everyMs && !stop.signal.aborted) timer = setTimeout(again, everyMs);
    });
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
    // `ask` is a new function each time; `key` says when it asks for something else.
  }, [key, turn, everyMs, again]);

  return { ...state, again };
}
