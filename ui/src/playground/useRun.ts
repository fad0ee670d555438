// One request at a time: runs it, times it, and can stop it.
import { useCallback, useEffect, useRef, useState } from "react";

export interface Run<T> {
  running: boolean;
  result: T | null;
  error: unknown;
  tookMs: number | null;
}

const IDLE = { running: false, result: null, error: null, tookMs: null };

/** `start` ends the run before it; what was stopped is no error. */
export function useRun<T>() {
  const [run, setRun] = useState<Run<T>>(IDLE);
  const current = useRef<AbortController | null>(null);

  const stop = useCallback(() => {
    current.current?.abort();
    current.current = null;
    setRun((before) => ({ ...before, running: false }));
  }, []);

  const start = useCallback(async (work: (signal: AbortSignal) => Promise<T>) => {
    current.current?.abort();
    const mine = new AbortController();
    current.current = mine;
    setRun({ ...IDLE, running: true });
    const begin = performance.now();
    const ended = (outcome: Partial<Run<T>>) => {
      if (current.current !== mine) return;
      current.current = null;
      setRun({ ...IDLE, tookMs: performance.now() - begin, ...outcome });
    };
    try {
      ended({ result: await work(mine.signal) });
    } catch (error) {
      ended({ error });
    }
  }, []);

  useEffect(() => () => current.current?.abort(), []);
  return { ...run, start, stop };
}
