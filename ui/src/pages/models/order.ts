// Which models are shown, and in which order. Pure.
import type { KnownModel } from "../../api/types";

export const COLUMNS = ["model", "state", "memory", "rate", "p50", "p99", "requests", "idle"] as const;
export type Column = (typeof COLUMNS)[number];

export interface Order {
  by: Column;
  down: boolean;
}

/** What a person looks for first comes first. */
const STATES = ["error", "loading", "unloading", "loaded", "sleeping", "analyzing", "discovered", "unloaded", "rejected"];

const KEYS: Record<Column, (model: KnownModel) => number | string> = {
  model: (model) => model.model,
  state: (model) => STATES.indexOf(model.state),
  memory: (model) => model.reserved_bytes || model.size_bytes / 1e6,
  rate: (model) => model.requests_per_second,
  p50: (model) => model.p50_ms ?? -1,
  p99: (model) => model.p99_ms ?? -1,
  requests: (model) => model.in_flight + model.waiting,
  idle: (model) => -(model.idle_since ?? Infinity),
};

/** Those that the words are about: parts of the name, the state, the task or the runtime. */
export function matching(models: Iterable<KnownModel>, search: string): KnownModel[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return [...models].filter((model) => {
    const text = `${model.model} ${model.state} ${model.task ?? ""} ${model.runtime ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** In this order; those that are equal by name. */
export function ordered(models: readonly KnownModel[], { by, down }: Order): KnownModel[] {
  const key = KEYS[by];
  return [...models].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    const compared = typeof a === "string" ? a.localeCompare(b as string) : a - (b as number);
    return (down ? -compared : compared) || one.model.localeCompare(other.model);
  });
}
