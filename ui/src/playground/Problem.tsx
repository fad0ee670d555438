import { useEffect, useState } from "react";

import { ApiError, sentence } from "../api/error";
import { Button } from "../components/Button";
import { seconds } from "../lib/format";
import { useNow } from "../lib/useNow";

/** What went wrong, as it was told; counts down to when another try may help. */
export function Problem({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const leftS = useCountdown(error);
  if (error === null || error === undefined) return null;
  const told = error instanceof ApiError ? error : null;
  const status = told && told.status > 0 ? `HTTP ${told.status}` : null;
  return (
    <div role="alert" className="rounded-md border border-bad/40 bg-bad/5 px-3 py-2">
      <p className="break-words">{sentence(error)}</p>
      <div className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-muted">
        {status && <span className="numbers">{status}</span>}
        {told?.code && <code>{told.code}</code>}
        {leftS !== null && leftS > 0 && <span className="numbers">may be tried again in {seconds(leftS)}</span>}
        <Button onClick={onRetry} disabled={leftS !== null && leftS > 0}>
          Try again
        </Button>
      </div>
    </div>
  );
}

/** Seconds that are left of the `Retry-After` of an error; null: it said none. */
function useCountdown(error: unknown): number | null {
  const afterS = error instanceof ApiError ? error.retryAfterS : null;
  const [until, setUntil] = useState<number | null>(null);
  useEffect(() => setUntil(afterS === null ? null : Date.now() + afterS * 1000), [error, afterS]);
  const now = useNow(until !== null);
  return until === null ? afterS : Math.max(0, Math.ceil((until - now) / 1000));
}
