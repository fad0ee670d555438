import type { LiveModel } from "../api/types";
import { seconds } from "../lib/format";
import { useGatewayNow } from "../lib/now";
import { Progress } from "./Progress";

type Loading = Pick<LiveModel, "model" | "load_started_at" | "expected_load_s" | "eta_s">;

/** How far the load of a model is, by how long its last one took. */
export function LoadProgress({ model, load_started_at, expected_load_s, eta_s }: Loading) {
  const now = useGatewayNow();
  const running = load_started_at === null ? null : Math.max(0, (now - Date.parse(load_started_at)) / 1000);
  const whole = expected_load_s ?? (running !== null && eta_s !== null ? running + eta_s : null);
  const left = whole !== null && running !== null ? whole - running : eta_s;
  const ratio = whole && running !== null ? Math.min(0.98, running / whole) : null;
  const text =
    left === null ? (running === null ? "" : `since ${seconds(running)}`) : left > 0 ? `about ${seconds(Math.ceil(left))} left` : "longer than last time";
  return (
    <div className="flex items-center gap-2">
      <div className="w-24 shrink-0">
        <Progress label={`Load of ${model}`} ratio={ratio} />
      </div>
      <span className="numbers truncate text-muted">{text}</span>
    </div>
  );
}
