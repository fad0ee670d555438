import type { Decision } from "../api/decisions";
import { ModelLink } from "../components/ModelLink";
import { clockTime, percent } from "../lib/format";

const KEPT = "keep";

/** Whether it is more than that all stays as it is. */
export const wantsChange = ({ actions, dropped }: Decision) =>
  dropped.length > 0 || actions.some(({ action }) => action !== KEPT);

/** One decision: who made it, what it wanted, what was dropped, what came of it. */
export function DecisionRow({ decision }: { decision: Decision }) {
  const { actions, dropped, outcome } = decision;
  const changes = actions.filter(({ action }) => action !== KEPT);
  const kept = actions.filter(({ action }) => action === KEPT);
  return (
    <li className="grid gap-x-4 gap-y-1 border-t border-line px-4 py-2 first:border-t-0 md:grid-cols-[17rem_minmax(0,1fr)]">
      <div className="flex flex-wrap items-baseline gap-x-2 md:block">
        <time dateTime={decision.time} className="numbers text-muted">
          {clockTime(decision.time)}
        </time>
        <p>
          <span className="font-medium">{speakerOf(decision)}</span>
          {!decision.leads && <span className="text-muted">, not followed</span>}
          {decision.confidence !== null && (
            <span className="numbers text-muted">, {percent(decision.confidence)} sure</span>
          )}
        </p>
      </div>
      <div className="min-w-0">
        <ul className="flex flex-col gap-0.5">
          {changes.map(({ action, model, device, reason }, at) => (
            <li key={at} className="break-words">
              <span className="font-medium">{action}</span> <ModelLink model={model} />
              {device && <span className="text-muted"> on {device}</span>}
              {reason && <span className="text-muted"> – {reason}</span>}
            </li>
          ))}
          {dropped.map(({ action, model, rule }, at) => (
            <li key={at} className="break-words text-bad">
              <span className="font-medium">dropped:</span> {action} <ModelLink model={model} /> – {rule}
            </li>
          ))}
        </ul>
        {kept.length > 0 && <p className="break-words text-muted">keep {kept.map(({ model }) => model).join(", ")}</p>}
        {actions.length + dropped.length === 0 && <p className="text-muted">Nothing should change.</p>}
        {outcome && <p className="text-muted">Outcome: {outcome}</p>}
      </div>
    </li>
  );
}

function speakerOf({ origin, source }: Decision): string {
  if (source === "llm") return "Language model";
  return origin === "orchestrator" ? "Orchestrator" : "Brain's rules";
}
