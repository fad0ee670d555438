import { Link } from "wouter";

import type { Decision } from "../api/decisions";
import { clockTime, percent } from "../lib/format";

/** One decision: who made it, what it wanted, what was dropped, what came of it. */
export function DecisionRow({ decision }: { decision: Decision }) {
  const { actions, dropped, outcome } = decision;
  return (
    <li className="grid gap-x-4 gap-y-1 border-t border-line px-4 py-2 first:border-t-0 md:grid-cols-[11rem_minmax(0,1fr)]">
      <div className="flex flex-wrap items-baseline gap-x-2 md:block">
        <time dateTime={decision.time} className="numbers text-muted">
          {clockTime(decision.time)}
        </time>
        <p>
          <span className="font-medium">{decision.source === "llm" ? "Language model" : "Rules"}</span>
          {!decision.leads && <span className="text-muted">, not followed</span>}
          {decision.confidence !== null && (
            <span className="numbers text-muted">, {percent(decision.confidence)} sure</span>
          )}
        </p>
      </div>
      <div className="min-w-0">
        {actions.length + dropped.length === 0 && <p className="text-muted">Nothing should change.</p>}
        <ul className="flex flex-col gap-0.5">
          {actions.map(({ action, model, device, reason }, at) => (
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
        {outcome && <p className="text-muted">Outcome: {outcome}</p>}
      </div>
    </li>
  );
}

function ModelLink({ model }: { model: string }) {
  return (
    <Link href={`/models/${encodeURIComponent(model)}`} className="hover:underline">
      {model}
    </Link>
  );
}
