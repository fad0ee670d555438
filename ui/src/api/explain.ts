// What would happen to a model, and what did and why.
import { json } from "./client";
import type { ModelState } from "./types";

export interface Plan {
  model: string;
  state: ModelState;
  outcome: "route" | "join" | "load" | "wake" | "displace" | "wait" | "refuse";
  reason: string;
  device_ids: string[];
  device_name: string;
  needed_bytes: number;
  free_bytes: number;
  victims: { model: string; held_bytes: number; in_flight: number; reason: string }[];
  eta_s: number | null;
}

export interface DecisionRecord {
  decision_id: string;
  made_at: string;
  origin: string;
  source: string;
  decisions: { action: string; model: string; reason: string; victims: string[]; dropped_by: string | null }[];
  plan: { runtime: string; reasoning: string; dropped_by: string | null } | null;
  /** Said beside another one for comparison, and not followed. */
  shadow: boolean;
  came: { model: string; outcome: string }[];
}

export interface Explanation {
  reason: string;
  runtime_reason: string;
  decisions: DecisionRecord[];
}

export const planOf = (model: string, signal: AbortSignal) =>
  json<Plan>(`/admin/plan/${encodeURIComponent(model)}`, { signal });

export const explanationOf = (model: string, signal: AbortSignal) =>
  json<Explanation>(`/admin/explain/${encodeURIComponent(model)}`, { query: { limit: 30 }, signal });
