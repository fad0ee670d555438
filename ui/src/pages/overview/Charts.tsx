import type { AlignedData } from "uplot";

import { Card } from "../../components/Card";
import { Chart, type Line } from "../../components/Chart";
import { percent, rate } from "../../lib/format";
import { history } from "../../live/history";
import { useLive } from "../../live/store";

const listen = (listener: () => void) => history.listen(listener);

const RATE: Line[] = [{ label: "requests per second", color: "accent", fill: true }];
const rates = () => history.columns(["rate"]) as AlignedData;

const QUEUE: Line[] = [
  { label: "waiting", color: "busy", fill: true },
  { label: "running", color: "good" },
];
const queue = () => history.columns(["waiting", "running"]) as AlignedData;

const USE: Line[] = [
  { label: "busiest device", color: "bad" },
  { label: "mean of all", color: "rest", fill: true },
];

function use(): AlignedData {
  const names = [...useLive.getState().devices.keys()].map((device) => `use ${device}`);
  const [times, ...rows] = history.columns(names);
  const at = (index: number) => rows.map((row) => row[index]).filter((value) => value !== null && value !== undefined);
  const most = times.map((_, index) => (at(index).length ? Math.max(...at(index)) : null));
  const mean = times.map((_, index) => {
    const known = at(index);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  });
  return [times, most, mean] as AlignedData;
}

/** The last ten minutes. */
export function Charts() {
  const measured = useLive((state) => [...state.devices.values()].some((device) => device.utilization !== null));
  return (
    <div className="grid gap-4 lg:grid-cols-[repeat(auto-fit,minmax(22rem,1fr))]">
      <Card title="Requests per second" aside="last 10 min">
        <Chart label="Requests per second over the last ten minutes" lines={RATE} columns={rates} listen={listen} leastS={60} format={rate} />
      </Card>
      <Card title="Requests inside" aside="last 10 min">
        <Chart label="Waiting and running requests over the last ten minutes" lines={QUEUE} columns={queue} listen={listen} leastS={60} least={4} />
      </Card>
      {measured && (
        <Card title="Device use" aside="last 10 min">
          <Chart label="Utilisation of devices over the last ten minutes" lines={USE} columns={use} listen={listen} leastS={60} format={percent} />
        </Card>
      )}
    </div>
  );
}
