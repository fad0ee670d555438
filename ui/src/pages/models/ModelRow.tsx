import { Pin } from "lucide-react";
import { memo } from "react";

import type { KnownModel } from "../../api/types";
import { LoadProgress } from "../../components/LoadProgress";
import { ModelActions } from "../../components/ModelActions";
import { ModelLink } from "../../components/ModelLink";
import { Since } from "../../components/Since";
import { StateBadge } from "../../components/StateBadge";
import { bytes, count, latency, rate } from "../../lib/format";

const NUMBER = "numbers hidden px-3 py-2 text-right align-top whitespace-nowrap md:table-cell";

/** One model; drawn again only when its row has changed. */
export const ModelRow = memo(function ModelRow({ model, mayAct }: { model: KnownModel; mayAct: boolean }) {
  const held = model.reserved_bytes > 0;
  return (
    <tr className="border-t border-line">
      <th scope="row" className="w-full max-w-0 px-4 md:w-auto md:max-w-72 2xl:max-w-md py-2 text-left align-top font-normal">
        <span className="flex items-center gap-1.5">
          <ModelLink model={model.model} className="truncate" />
          {model.pinned && <Pin size={13} role="img" aria-label="pinned" className="shrink-0 text-accent" />}
          {model.copies > 0 && (
            <span className="text-muted" title="engines">
              ×{model.copies + 1}
            </span>
          )}
        </span>
        <span className="block truncate text-muted">
          {[model.task, model.runtime].filter(Boolean).join(" · ") || "not known yet"}
        </span>
        <span className="block md:hidden">
          <State model={model} />
        </span>
      </th>
      <td className="hidden w-full max-w-0 min-w-40 px-3 py-2 align-top md:table-cell">
        <State model={model} />
      </td>
      <td className={NUMBER}>
        {bytes(held ? model.reserved_bytes : model.size_bytes)}
        <span className="block text-muted">{held ? `${bytes(model.resident_bytes)} resident` : "on disk"}</span>
      </td>
      <td className={NUMBER}>{rate(model.requests_per_second)}</td>
      <td className={NUMBER}>{latency(model.p50_ms)}</td>
      <td className={NUMBER}>{latency(model.p99_ms)}</td>
      <td className={NUMBER}>
        {count(model.in_flight)}
        {model.waiting > 0 && <span className="block text-busy">{count(model.waiting)} waiting</span>}
      </td>
      <td className={NUMBER}><Since start={model.idle_since} /></td>
      {mayAct && (
        <td className="py-1.5 pr-3 pl-1 align-top md:px-4">
          <ModelActions model={model.model} state={model.state} can_sleep={model.can_sleep} pinned={model.pinned} />
        </td>
      )}
    </tr>
  );
});

/** The state and one line on why; how far it is while it loads. */
function State({ model }: { model: KnownModel }) {
  return (
    <>
      <StateBadge state={model.state} />
      {model.state === "loading" ? (
        <LoadProgress {...model} />
      ) : (
        <span className="block truncate text-muted" title={model.reason}>
          {model.reason}
        </span>
      )}
    </>
  );
}
