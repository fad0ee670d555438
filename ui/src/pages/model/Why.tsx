import { explanationOf, planOf, type Plan } from "../../api/explain";
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
            <li key={record.decision_id}>
              <p className="text-muted">
                <time dateTime={record.made_at} className="numbers">{clockTime(record.made_at)}</time> by {record.source}, {record.origin}
              </p>
              <ul>
                {record.decisions.map((decision, index) => (
                  <li key={index} className="break-words">
                    <span className="font-medium">{decision.action}</span>{" "}
                    {decision.model !== model && <ModelLink model={decision.model} />} {decision.reason}
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ol>
      </Card>
    </div>
  );
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
