import type { UsageReport } from "../api/usage";
import { count } from "../lib/format";
import { requestsByDay } from "./usageData";

/** A bar for each day; the same figures are in the table by day. */
export function UsageDays({ report }: { report: UsageReport }) {
  const days = requestsByDay(report);
  const most = Math.max(...days.map(({ requests }) => requests), 1);
  const sum = days.reduce((so, { requests }) => so + requests, 0);
  return (
    <figure>
      <div
        role="img"
        aria-label={`${count(sum)} requests from ${report.first} to ${report.last}, at most ${count(most)} on a day`}
        className="flex h-28 items-end gap-px border-b border-line"
      >
        {days.map(({ day, requests }) => (
          <div key={day} title={`${day}: ${count(requests)} requests`} className="flex h-full min-w-0 grow items-end hover:bg-raised">
            <div
              className={`w-full rounded-t-sm bg-accent ${requests > 0 ? "min-h-0.5" : ""}`}
              style={{ height: `${(requests / most) * 100}%` }}
            />
          </div>
        ))}
      </div>
      <figcaption className="numbers mt-1 flex justify-between text-muted">
        <span>{report.first}</span>
        <span>at most {count(most)}</span>
        <span>{report.last}</span>
      </figcaption>
    </figure>
  );
}
