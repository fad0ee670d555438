// One line about an event of the bus, for people. Pure.
import type { BusEvent } from "../api/types";
import { seconds } from "./format";

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number | null => (typeof value === "number" ? value : null);

function took(payload: Record<string, unknown>, name: string, word: string): string {
  const value = number(payload[name]);
  return value === null ? "" : `${word} ${seconds(value)}`;
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
    case "runtime.failed":
      return `${text(payload.kind).replaceAll("_", " ")}: ${text(payload.reason)}`;
    default:
      return text(payload.reason) || text(payload.path) || text(payload.instance_id);
  }
}
