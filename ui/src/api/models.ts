// What operators do with a model, and what the gateway knows of one.
import { json, withQuery } from "./client";
import type { CommandAccepted, RecentEvents } from "./types";

export type Action = "load" | "unload" | "sleep" | "retry" | "pin" | "unpin";

const below = (model: string) => `/admin/models/${encodeURIComponent(model)}`;

/** Have it done; the live stream shows what becomes of it. */
export function act(model: string, action: Action): Promise<CommandAccepted> {
  const pin = action === "pin" || action === "unpin";
  const path = `${below(model)}/${pin ? "pin" : action}`;
  const method = action === "pin" ? "PUT" : action === "unpin" ? "DELETE" : "POST";
  return json<CommandAccepted>(path, { method });
}

export interface ModelDetails {
  model: string;
  runtime_reason: string;
  context_length: number | null;
  aliases: string[];
  about: Record<string, unknown> | null;
  engines: { instance_id: string; state: string; agent_id: string; device_ids: string[]; in_flight: number }[];
  load_s: number | null;
}

export const modelDetails = (model: string, signal: AbortSignal) =>
  json<ModelDetails>(`/models/${encodeURIComponent(model)}`, { signal });

/** Where the newest lines come, or those behind a place, and then more as they are written. */
export const logPath = (model: string, after: string) =>
  withQuery(`${below(model)}/log`, { follow: true, lines: after ? 1_000 : 200, after });

export const recentEvents = (
  query: { model?: string; subject?: readonly string[]; all?: boolean; before?: number; limit?: number },
  signal: AbortSignal,
) => json<RecentEvents>("/events/recent", { query, signal });
