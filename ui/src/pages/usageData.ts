// Ranges of days and tables of usage. Pure.
import type { By, UsageReport, UsageRow } from "../api/usage";

export interface Range {
  from: string;
  to: string;
}

const DAY_MS = 86_400_000;
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** So many days that end today, by UTC. */
export function daysBack(days: number, now: Date): Range {
  return { from: dayOf(now.getTime() - (days - 1) * DAY_MS), to: dayOf(now.getTime()) };
}

/** Every day from the first to the last, with its requests; 0 where nothing was used. */
export function requestsByDay(report: UsageReport): { day: string; requests: number }[] {
  const known = new Map(report.usage.map(({ day, requests }) => [day, requests]));
  const days: { day: string; requests: number }[] = [];
  for (let time = Date.parse(report.first); time <= Date.parse(report.last); time += DAY_MS) {
    const day = dayOf(time);
    days.push({ day, requests: known.get(day) ?? 0 });
  }
  return days;
}

export const FIGURES = ["requests", "prompt_tokens", "completion_tokens", "device_seconds", "load_seconds"] as const;

/** The rows as a spreadsheet reads them. */
export function asCsv(report: UsageReport, by: readonly By[]): string {
  const names = [...by, ...FIGURES];
  const rows = report.usage.map((row: UsageRow) => names.map((name) => cell(row[name])).join(","));
  return [names.join(","), ...rows].join("\r\n") + "\r\n";
}

function cell(value: string | number | null): string {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
