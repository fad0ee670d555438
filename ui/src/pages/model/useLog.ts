import { useEffect, useRef, useState } from "react";

import { logPath } from "../../api/models";
import { openStream } from "../../api/sse";

const MOST = 2_000;
// Colours are the terminal's.
const ESCAPES = /\u001b\[[0-9;]*[A-Za-z]/g;
const SILENT = "The agent that has the log does not answer; it is asked again.";

export interface Log {
  lines: string[];
  instance: string;
  problem: string;
}

/** The newest lines of the model's newest engine, and those that come while `follow`; none is left out. */
export function useLog(model: string, generation: number, follow: boolean): Log {
  const [log, setLog] = useState<Log>({ lines: [], instance: "", problem: "" });
  /** Behind the newest line that was told. */
  const place = useRef("");

  useEffect(() => {
    if (!follow) return;
    let pending: string[] = [];
    const show = () => {
      const news = pending;
      pending = [];
      if (news.length > 0) setLog((was) => ({ ...was, lines: [...was.lines, ...news].slice(-MOST) }));
    };
    // Many lines at once are one drawing.
    const showing = setInterval(show, 200);
    const stream = openStream(logPath(model, place.current), {
      onMessage: ({ event, data, id }) => {
        place.current = id ?? place.current;
        const told = JSON.parse(data) as { line: string; instance_id: string };
        if (event === "line") pending.push(plain(told.line));
        if (event !== "engine") return;
        show();
        setLog((was) => (was.instance === told.instance_id ? was : { lines: [], instance: told.instance_id, problem: "" }));
      },
      onConnection: (now) => setLog((was) => ({ ...was, problem: now === "reconnecting" ? SILENT : "" })),
      onRefused: (error) => setLog((was) => ({ ...was, problem: error.message })),
    });
    return () => {
      clearInterval(showing);
      stream.close();
      show();
    };
  }, [model, generation, follow]);
  return log;
}

const plain = (line: string) => line.replace(ESCAPES, "");
