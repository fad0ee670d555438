import type { By, UsageReport, UsageRow } from "../api/usage";
import { Empty } from "../components/Empty";
import { Wide } from "../components/Wide";
import { count, seconds } from "../lib/format";
import { useKeyNames } from "../lib/useKeyNames";

const NAMES: Record<By, string> = { organization: "Organisation", key_id: "Key", model: "Model", day: "Day" };

/** One row for each group, with a bar for its requests. */
export function UsageTable({ report, by }: { report: UsageReport; by: readonly By[] }) {
  const keys = useKeyNames();
  if (report.usage.length === 0) return <Empty>Nothing was used on these days.</Empty>;
  const rows = report.usage.toSorted((one, other) =>
    by[0] === "day" ? (other.day ?? "").localeCompare(one.day ?? "") : other.requests - one.requests,
  );
  const most = Math.max(...rows.map(({ requests }) => requests), 1);
  return (
    <Wide label="Usage">
      <table className="w-full text-left">
        <thead className="text-muted">
          <tr>
            {by.map((name) => (
              <th key={name} className="py-2 pl-4 font-normal">
                {NAMES[name]}
              </th>
            ))}
            <th className="w-1/5 min-w-32 pl-4 font-normal">Requests</th>
            <th className="pl-4 text-right font-normal">Tokens read</th>
            <th className="pl-4 text-right font-normal">Tokens written</th>
            <th className="pl-4 text-right font-normal">On devices</th>
            <th className="pr-4 pl-4 text-right font-normal">Waited for loads</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={by.map((name) => row[name]).join(" ")} row={row} by={by} most={most} keys={keys} />
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

interface RowProps {
  row: UsageRow;
  by: readonly By[];
  most: number;
  keys: ReadonlyMap<string, string>;
}

function Row({ row, by, most, keys }: RowProps) {
  return (
    <tr className="border-t border-line">
      {by.map((name) => (
        <td key={name} className="max-w-56 truncate py-1.5 pl-4" title={row[name] ?? undefined}>
          {(name === "key_id" && keys.get(row.key_id ?? "")) || row[name] || <span className="text-muted">none</span>}
        </td>
      ))}
      <td className="pl-4">
        <div className="relative rounded">
          <span
            aria-hidden="true"
            className="absolute inset-y-0 left-0 rounded bg-accent/20"
            style={{ width: `${(row.requests / most) * 100}%` }}
          />
          <span className="numbers relative px-1.5">{count(row.requests)}</span>
        </div>
      </td>
      <td className="numbers pl-4 text-right">{count(row.prompt_tokens)}</td>
      <td className="numbers pl-4 text-right">{count(row.completion_tokens)}</td>
      <td className="numbers pl-4 text-right whitespace-nowrap">{seconds(row.device_seconds)}</td>
      <td className="numbers pr-4 pl-4 text-right whitespace-nowrap">{seconds(row.load_seconds)}</td>
    </tr>
  );
}
