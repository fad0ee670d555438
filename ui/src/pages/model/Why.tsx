import { type DecisionRecord, explanationOf, planOf, type Plan } from "../../api/explain";
import { Button } from "../../components/Button";
import { Card } from "../../components/Card";
import { Empty } from "../../components/Empty";
import { Facts } from "../../components/Facts";
import { ModelLink } from "../../components/ModelLink";
import { Notice } from "../../components/Notice";
import { bytes, clockTime, seconds } from "../../lib/format";
import { useAsked } from "../../lib/useAsked";
import { useModel } from "../../live/store";

/** What would happen to a request now, and what the last decisions about the model were. */
export function Why({ model }: { model: string }) {
  const row = useModel(model);
  const turn = `${model} ${row?.state} ${row?.generation}`;
  const plan = useAsked((signal) => planOf(model, signal), turn);
  const past = useAsked((signal) => explanationOf(model, signal), turn);
  const again = () => {
    plan.again();
    past.again();
  };
  return (
    <div className="grid items-start gap-4 xl:grid-cols-2">
      <Card title="If it were asked for now" aside={<Button onClick={again}>Ask again</Button>}>
        {plan.problem && <Notice>{plan.problem}</Notice>}
        {plan.value && <PlanFacts plan={plan.value} />}
      </Card>
      <Card title="Decisions about it">
        {past.problem && <Notice>{past.problem}</Notice>}
        {past.value?.decisions.length === 0 && <Empty>Nothing was decided about it in the last 7 days.</Empty>}
        <ol className="space-y-3">
          {[...(past.value?.decisions ?? [])].reverse().map((record) => (
            <Record key={record.decision_id} record={record} model={model} />
          ))}
        </ol>
      </Card>
    </div>
  );
}

function Record({ record, model }: { record: DecisionRecord; model: string }) {
  const { decisions, plan, shadow } = record;
  const came = new Map(record.came.map((each) => [each.model, each.outcome]));
  return (
    <li>
      <p className="text-muted">
        <time dateTime={record.made_at} className="numbers">{clockTime(record.made_at)}</time> by{" "}
        {record.source === "llm" ? "the language model" : `the ${record.origin}'s rules`}
        {shadow && ", for comparison only"}
      </p>
      <ul>
        {decisions.map((decision, index) => (
          <li key={index} className="break-words">
            <span className="font-medium">{decision.action}</span>{" "}
            {decision.model !== model && <ModelLink model={decision.model} />} {decision.reason}
            {decision.victims.length > 0 && `; gives way: ${decision.victims.join(", ")}`}
            {came.has(decision.model) && <span className="text-muted"> – {came.get(decision.model)}</span>}
            <Dropped by={decision.dropped_by} />
          </li>
        ))}
        {plan && (
          <li className="break-words">
            <span className="font-medium">plan</span> {plan.runtime}: {plan.reasoning}
            <Dropped by={plan.dropped_by} />
          </li>
        )}
      </ul>
    </li>
  );
}

function Dropped({ by }: { by: string | null }) {
  return by && <span className="text-bad"> – dropped: {by}</span>;
}

function PlanFacts({ plan }: { plan: Plan }) {
  return (
    <>
      <p className="mb-3">
        <span className="font-semibold">{plan.outcome}</span>: {plan.reason}
      </p>
      <Facts
        facts={[
          ["Where", [plan.device_name, plan.device_ids.join(", ")].filter(Boolean).join(" · ")],
          ["Needs", plan.needed_bytes ? `${bytes(plan.needed_bytes)}; ${bytes(plan.free_bytes)} are free` : ""],
          ["Takes", plan.eta_s === null ? "not known yet" : seconds(plan.eta_s)],
        ]}
      />
      {plan.victims.length > 0 && (
        <>
          <h3 className="mt-3 mb-1 font-medium">Gives way</h3>
          <ul className="space-y-1">
            {plan.victims.map((victim) => (
              <li key={victim.model}>
                <ModelLink model={victim.model} />, {bytes(victim.held_bytes)}: {victim.reason}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
