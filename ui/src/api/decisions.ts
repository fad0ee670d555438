// What the brain and the rules wanted, what became of it, and who advises.
import { json } from "./client";

export interface WantedAction {
  action: string;
  model: string;
  device: string | null;
  reason: string;
}

export interface DroppedAction {
  action: string;
  model: string;
  rule: string;
}

export interface Decision {
  id: string;
  time: string;
  /** Who said it: the brain, or the orchestrator by its own rules. */
  origin: string;
  source: "llm" | "rules";
  leads: boolean;
  confidence: number | null;
  actions: WantedAction[];
  dropped: DroppedAction[];
  outcome: string | null;
}

export interface DecisionPage {
  decisions: Decision[];
  next_before: string | null;
}

export const decisions = (before: string | null, signal: AbortSignal) =>
  json<DecisionPage>("/admin/decisions", { query: { limit: 50, before }, signal });

export interface RegretPoint {
  time: string;
  llm: number | null;
  rules: number | null;
}

export interface BrainStatus {
  backend: string;
  advisor: string;
  standing: { leader: "llm" | "rules"; compared: number; regret_s: number; promotions: number; demotions: number };
  asked: number;
  answered: number;
  undecided: number;
  last_failure: string;
  took_s: number | null;
  history?: RegretPoint[];
}

export const brain = (signal: AbortSignal) => json<BrainStatus>("/admin/brain", { signal });
