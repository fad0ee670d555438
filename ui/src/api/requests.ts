// The requests that wait or run, at all gateways.
import { json, send } from "./client";

export interface OpenRequest {
  id: string;
  model: string;
  organization: string;
  key_id: string | null;
  path: string;
  state: "waiting" | "running";
  position: number | null;
  since: string;
  waited_s: number;
  gateway_id: string;
  stream: boolean;
}

export const openRequests = (signal: AbortSignal) =>
  json<{ requests: OpenRequest[]; left_out: number }>("/admin/requests", { signal });

/** Ends it as if its client had left; the client is told. */
export const cancelRequest = (id: string) =>
  send(`/admin/requests/${encodeURIComponent(id)}`, { method: "DELETE" });
