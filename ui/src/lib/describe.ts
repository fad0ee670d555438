// One line about an event of the bus, for people. Pure.
import type { BusEvent } from "../api/types";
import { seconds } from "./format";

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const list = (value: unknown) => (Array.isArray(value) ? (value as Record<string, unknown>[]) : []);
const number = (value: unknown): number | null => (typeof value === "number" ? value : null);

function took(payload: Record<string, unknown>, name: string, word: string): string {
  const value = number(payload[name]);
  return value === null ? "" : `${word} ${seconds(value)}`;
}

function decided(payload: Record<string, unknown>): string {
  const plan = payload.plan as Record<string, unknown> | null | undefined;
  if (plan) return `plan of the ${text(payload.origin)}: ${text(plan.runtime)}`;
  const wanted = list(payload.decisions).map(({ action, model, reason, dropped_by }) => {
    const what = [`${text(action)} ${text(model)}`, text(reason)].filter(Boolean).join(", ");
    return dropped_by ? `${what} (dropped: ${text(dropped_by)})` : what;
  });
  const by = payload.source === "llm" ? "language model" : text(payload.origin);
  return `${by}: ${wanted.join("; ") || "nothing should change"}`;
}

/** What happened, without the model's name. */
export function describe({ subject, payload }: BusEvent): string {
  const record = (payload.record ?? null) as { state?: string; reason?: string } | null;
  switch (subject) {
    case "model.state_changed": {
      if (record === null) return "the model is forgotten";
      const before = text(payload.previous);
      const states = before && before !== record.state ? `${before} → ${record.state}` : text(record.state);
      return [states, text(record.reason)].filter(Boolean).join(": ");
    }
    case "model.requested":
      return `asked for by ${text(payload.requested_by) || "another system"}`;
    case "runtime.loaded":
      return ["the engine serves", took(payload, "load_s", "after"), text(payload.endpoint) && `at ${text(payload.endpoint)}`].filter(Boolean).join(" ");
    case "runtime.sleeping":
      return `the engine sleeps ${took(payload, "sleep_s", "after")}`.trim();
    case "decision.made":
      return decided(payload);
    case "runtime.failed":
      return `${text(payload.kind).replaceAll("_", " ")}: ${text(payload.reason)}`;
    default:
      return text(payload.reason) || text(payload.path) || text(payload.instance_id);
  }
}
