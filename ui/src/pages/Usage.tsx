import { useState } from "react";

import { type By, usage } from "../api/usage";
import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { Field, Select } from "../components/Field";
import { Notice } from "../components/Notice";
import { PageTitle } from "../components/PageTitle";
import { Stat, Stats } from "../components/Stat";
import { count, seconds } from "../lib/format";
import { saveFile } from "../lib/saveFile";
import { useAsked } from "../lib/useAsked";
import { UsageDays } from "./UsageDays";
import { UsageTable } from "./UsageTable";
import { asCsv, daysBack, type Range } from "./usageData";

const GROUPS: { label: string; by: By[] }[] = [
  { label: "organisation, key and model", by: ["organization", "key_id", "model"] },
  { label: "organisation", by: ["organization"] },
  { label: "key", by: ["organization", "key_id"] },
  { label: "model", by: ["model"] },
  { label: "day", by: ["day"] },
];

const EVERY_MS = 5_000;

/** What was used, by whom and of which model. */
export default function Usage() {
  const [range, setRange] = useState<Range>(() => daysBack(30, new Date()));
  const [group, setGroup] = useState(0);
  const { by } = GROUPS[group]!;
  const key = `${range.from} ${range.to}`;
  const table = useAsked((signal) => usage(range, by, signal), `${key} ${group}`, EVERY_MS);
  const days = useAsked((signal) => usage(range, ["day"], signal), key, EVERY_MS);
  const report = table.value;
  return (
    <>
      <PageTitle title="Usage" about="Days are those of UTC; the newest figures are seconds old.">
        <Button
          disabled={!report}
          onClick={() => report && saveFile(`usage-${range.from}-${range.to}.csv`, "text/csv", asCsv(report, by))}
        >
          Download CSV
        </Button>
      </PageTitle>
      <div className="flex flex-col gap-4">
        <div className="flex flex-wrap items-end gap-3">
          <RangeFields range={range} onChange={setRange} />
          <Select label="By" value={group} onChange={(event) => setGroup(Number(event.target.value))}>
            {GROUPS.map(({ label }, at) => (
              <option key={label} value={at}>
                {label}
              </option>
            ))}
          </Select>
        </div>
        {(table.problem || days.problem) && <Notice>{table.problem || days.problem}</Notice>}
        {report && (
          <Stats>
            <Stat label="Requests" value={count(report.total.requests)} />
            <Stat label="Tokens read" value={count(report.total.prompt_tokens)} />
            <Stat label="Tokens written" value={count(report.total.completion_tokens)} />
            <Stat label="Time on devices" value={seconds(report.total.device_seconds)} />
          </Stats>
        )}
        {days.value && (
          <Card title="Requests for each day">
            <UsageDays report={days.value} />
          </Card>
        )}
        {report && (
          <Card title={`By ${GROUPS[group]!.label}`}>
            <UsageTable report={report} by={by} />
          </Card>
        )}
      </div>
    </>
  );
}

function RangeFields({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  // A day that is being typed is empty, and no range.
  const put = (change: Partial<Range>) => {
    const next = { ...range, ...change };
    if (next.from && next.to && next.from <= next.to) onChange(next);
  };
  return (
    <>
      <Field label="From" type="date" max={range.to} value={range.from} onChange={(event) => put({ from: event.target.value })} />
      <Field label="To" type="date" min={range.from} value={range.to} onChange={(event) => put({ to: event.target.value })} />
      <div className="flex gap-1">
        {[7, 30, 90].map((days) => (
          <Button key={days} className="h-8" onClick={() => onChange(daysBack(days, new Date()))}>
            {days} days
          </Button>
        ))}
      </div>
    </>
  );
}
