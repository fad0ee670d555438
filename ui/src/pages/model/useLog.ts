import { useEffect, useState } from "react";

import { sentence } from "../../api/error";
import { engineLog, logPath } from "../../api/models";
import { openStream } from "../../api/sse";

const AT_FIRST = 200;
const MOST = 2_000;
// Colours are the terminal's.
const ESCAPES = /\u001b\[[0-9;]*[A-Za-z]/g;

export interface Log {
  lines: string[];
  instance: string;
  problem: string;
}

const NONE: Log = { lines: [], instance: "", problem: "" };

/** The newest lines of the model's newest engine, and those that come while `follow`. */
export function useLog(model: string, generation: number, follow: boolean): Log {
  const [log, setLog] = useState<Log>(NONE);
  useEffect(() => {
    const stop = new AbortController();
    engineLog(model, AT_FIRST, stop.signal).then(
      ({ lines, instance_id }) => setLog({ lines: lines.map(plain), instance: instance_id, problem: "" }),
      (error: unknown) => stop.signal.aborted || setLog({ ...NONE, problem: sentence(error) }),
    );
    return () => stop.abort();
  }, [model, generation]);

  useEffect(() => {
    if (!follow) return;
    let pending: string[] = [];
    // Many lines at once are one drawing.
    const show = setInterval(() => {
      if (pending.length === 0) return;
      const news = pending;
      pending = [];
      setLog((was) => ({ ...was, lines: [...was.lines, ...news].slice(-MOST) }));
    }, 200);
    const stream = openStream(logPath(model), {
      onMessage: ({ event, data }) => {
        if (event === "line") pending.push(plain((JSON.parse(data) as { line: string }).line));
      },
      onRefused: (error) => setLog((was) => ({ ...was, problem: was.problem || error.message })),
    });
    return () => {
      clearInterval(show);
      stream.close();
    };
  }, [model, generation, follow]);
  return log;
}

const plain = (line: string) => line.replace(ESCAPES, "");
