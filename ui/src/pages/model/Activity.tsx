import { useCallback } from "react";
import type { AlignedData } from "uplot";

import { Card } from "../../components/Card";
import { Chart, type Line } from "../../components/Chart";
import { latency, rate } from "../../lib/format";
import { history } from "../../live/history";
import { Timeline } from "./Timeline";

const RATE: Line[] = [{ label: "requests per second", color: "accent", fill: true }];
const LATENCY: Line[] = [
  { label: "p50", color: "good" },
  { label: "p99", color: "busy" },
];
const listen = (listener: () => void) => history.listen(listener);

/** How much it was asked in the last ten minutes, and what has happened to it. */
export function Activity({ model }: { model: string }) {
  const rates = useCallback(() => history.columns([`rate ${model}`]) as AlignedData, [model]);
  const latencies = useCallback(() => history.columns([`p50 ${model}`, `p99 ${model}`]) as AlignedData, [model]);
  return (
    <div className="grid items-start gap-4 xl:grid-cols-2">
      <div className="grid gap-4">
        <Card title="Requests per second" aside="last 10 min">
          <Chart label={`Requests per second of ${model}`} lines={RATE} columns={rates} listen={listen} leastS={60} format={rate} />
        </Card>
        <Card title="Latency" aside="last 10 min">
          <Chart label={`Latency of ${model}`} lines={LATENCY} columns={latencies} listen={listen} leastS={60} format={latency} least={10} />
        </Card>
      </div>
      <Timeline model={model} />
    </div>
  );
}
