import type { ReactNode } from "react";

import { Button } from "../components/Button";
import { latency } from "../lib/format";
import { useModel } from "../live/store";
import { CopyAs } from "./CopyAs";
import { Problem } from "./Problem";
import { progressOf } from "./progress";
import type { PlayRequest } from "./request";
import { Waiting } from "./Waiting";

interface Props {
  model: string;
  /** What would be sent now; null: something is missing. */
  request: PlayRequest | null;
  running: boolean;
  error: unknown;
  tookMs: number | null;
  onRun: () => void;
  onStop: () => void;
  /** What the button is called. */
  action: string;
  /** The fields. */
  children: ReactNode;
  /** The answer. */
  answer: ReactNode;
}

/** One kind of request: fields, a button, what came of it, and the same as code. */
export function Panel(props: Props) {
  const { model, request, running, error, tookMs, onRun, onStop, action, children, answer } = props;
  const loading = progressOf(useModel(model));
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (request && !running) onRun();
      }}
    >
      {children}
      <div className="flex items-center gap-3">
        <Button look="primary" type="submit" disabled={!request || running}>
          {action}
        </Button>
        {running && <Button onClick={onStop}>Stop</Button>}
        {tookMs !== null && !running && <span className="numbers text-muted">{latency(tookMs)}</span>}
      </div>
      {running && <Waiting progress={loading} />}
      <Problem error={error} onRetry={onRun} />
      <div aria-live="polite">{answer}</div>
      <CopyAs request={request} />
    </form>
  );
}
