// What was used, by whom and of which model.
import { json } from "./client";

export type By = "organization" | "key_id" | "model" | "day";

export interface UsageRow {
  organization: string | null;
  day: string | null;
  key_id: string | null;
  model: string | null;
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  device_seconds: number;
  load_seconds: number;
}

export interface UsageReport {
  first: string;
  last: string;
  usage: UsageRow[];
  total: UsageRow;
}

/** `from` and `to` are days of UTC, both included. */
export const usage = (range: { from: string; to: string }, by: readonly By[], signal: AbortSignal) =>
  json<UsageReport>("/admin/usage", { query: { ...range, group_by: by }, signal });
