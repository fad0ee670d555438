import { useCallback } from "react";

import type { BrainStatus, RegretPoint } from "../api/decisions";
import { Card } from "../components/Card";
import { Chart, type Line } from "../components/Chart";
import { count, percent, seconds } from "../lib/format";

const LINES: Line[] = [
  { label: "Language model", color: "rest" },
  { label: "Rules, by which it is measured", color: "accent" },
];

/** Who advises, and how the language model did beside the rules. */
export function DecisionsStanding({ status }: { status: BrainStatus }) {
  const { standing, history } = status;
  const hasModel = status.backend !== "rules";
  return (
    <Card title={standing.leader === "llm" ? "The language model leads" : "The rules lead"} aside={status.advisor}>
      {hasModel ? <Figures status={status} /> : <p className="text-muted">No language model is asked.</p>}
      {status.last_failure && <p className="mt-2 text-bad">Its last answer failed: {status.last_failure}</p>}
      {history && history.length > 1 && <Regret history={history} />}
    </Card>
  );
}

function Figures({ status }: { status: BrainStatus }) {
  const { standing, asked, answered } = status;
  const figures: [string, string][] = [
    ["Regret, each time", `${standing.regret_s > 0 ? "+" : ""}${standing.regret_s.toFixed(1)} s`],
    ["Disagreements judged", count(standing.compared)],
    ["Not judged yet", count(status.undecided)],
    ["Answered in time", asked ? `${count(answered)} of ${count(asked)} (${percent(answered / asked)})` : "not asked yet"],
    ["Last answer took", status.took_s === null ? "–" : seconds(status.took_s)],
    ["Promoted, demoted", `${standing.promotions}, ${standing.demotions}`],
  ];
  return (
    <dl className="grid grid-cols-2 gap-x-6 gap-y-3 md:grid-cols-3 xl:grid-cols-6">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt className="text-muted">{name}</dt>
          <dd className="numbers font-medium">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Regret({ history }: { history: RegretPoint[] }) {
  const columns = useCallback(
    (): [number[], ...(number | null)[][]] => [
      history.map(({ time }) => Date.parse(time) / 1000),
      history.map(({ llm }) => llm),
      history.map(({ rules }) => rules),
    ],
    [history],
  );
  return (
    <div className="mt-4">
      <h3 className="mb-1 font-medium">Regret over time, in seconds of waiting at each disagreement</h3>
      <Chart label="Regret of the language model and of the rules over time" lines={LINES} columns={columns} />
    </div>
  );
}
