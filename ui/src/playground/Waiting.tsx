import { seconds } from "../lib/format";
import type { Progress } from "./progress";

/** What a request waits for: that it is answered, or that its model is loaded. */
export function Waiting({ progress }: { progress: Progress | null }) {
  return (
    <p role="status" className="flex items-center gap-2 text-muted">
      <span aria-hidden="true" className="size-2 animate-pulse rounded-full bg-busy-fill" />
      {progress ? described(progress) : "Waiting for the answer"}
    </p>
  );
}

function described({ state, position, etaS }: Progress): string {
  const parts = [`The model is ${state}`];
  if (position !== null) parts.push(`place ${position} in its queue`);
  if (etaS !== null) parts.push(etaS > 0 ? `about ${seconds(etaS)} left` : "any moment now");
  return parts.join(", ");
}
