import type { LiveModel } from "../../api/types";
import { Card } from "../../components/Card";
import { Empty } from "../../components/Empty";
import { ModelLink } from "../../components/ModelLink";
import { StateBadge } from "../../components/StateBadge";
import { seconds } from "../../lib/format";
import { useLive } from "../../live/store";

const MOST = 8;

/** Waited for, on their way or broken: the ones a person looks for first. */
function urgency(model: LiveModel): number {
  if (model.waiting > 0) return 1_000_000 + model.oldest_wait_s;
  if (model.state === "error") return 1_000;
  if (model.state === "rejected") return 100;
  return ["loading", "unloading"].includes(model.state) ? 1 : 0;
}

/** Models for which something goes on. */
export function Attention() {
  const models = useLive((state) => state.models);
  const urgent = [...models.values()]
    .filter((model) => urgency(model) > 0)
    .sort((one, other) => urgency(other) - urgency(one) || one.model.localeCompare(other.model));
  return (
    <Card title="Going on" aside={urgent.length > MOST ? `${MOST} of ${urgent.length}` : undefined}>
      {urgent.length === 0 ? (
        <Empty>Nothing waits, loads or fails.</Empty>
      ) : (
        <ul className="-my-2 divide-y divide-line">
          {urgent.slice(0, MOST).map((model) => (
            <li key={model.model} className="py-2">
              <div className="flex items-baseline justify-between gap-3">
                <ModelLink model={model.model} className="truncate" />
                <StateBadge state={model.state} />
              </div>
              <p className="truncate text-muted" title={model.reason}>
                {model.waiting > 0 && `${model.waiting} waiting, the first for ${seconds(model.oldest_wait_s)}. `}
                {model.reason}
              </p>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
