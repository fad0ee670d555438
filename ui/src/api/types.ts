// What the gateway says, by its own names; docs/openapi.json is the whole of it.

export type Scope = "inference" | "read" | "admin";

export interface Session {
  organization: string;
  key_id: string | null;
  name: string;
  scopes: Scope[];
  authentication: string;
  version: string;
  features: { upload: boolean };
}

export type ModelState =
  | "discovered"
  | "analyzing"
  | "unloaded"
  | "loading"
  | "loaded"
  | "sleeping"
  | "unloading"
  | "error"
  | "rejected";

export interface LiveModel {
  model: string;
  state: ModelState;
  reason: string;
  eta_s: number | null;
  runtime: string | null;
  task: string | null;
  capabilities: string[];
  pinned: boolean;
  requests_per_second: number;
  p50_ms: number | null;
  p99_ms: number | null;
  in_flight: number;
  waiting: number;
  oldest_wait_s: number;
  idle_s: number | null;
  size_bytes: number;
  reserved_bytes: number;
  resident_bytes: number;
  agent_id: string | null;
  device_ids: string[];
  loaded_at: string | null;
  load_started_at: string | null;
  expected_load_s: number | null;
  failures: number;
  retry_at: string | null;
  generation: number;
  /** Engines beside the first. */
  copies: number;
  can_sleep: boolean;
}

/** Beside what the gateway says: when its idle time began, by the gateway's clock. */
export interface KnownModel extends LiveModel {
  idle_since: number | null;
}

export interface LiveEngine {
  instance_id: string;
  /** Empty: engines of models that this key may not see, as one. */
  model: string;
  state: string;
  reserved_bytes: number;
  resident_bytes: number;
}

export interface LiveDevice {
  device_id: string;
  agent_id: string;
  name: string;
  kind: "cuda" | "cpu";
  total_bytes: number;
  budget_bytes: number;
  used_bytes: number;
  utilization: number | null;
  reported_at: string;
  engines: LiveEngine[];
}

export interface LiveGateway {
  id: string;
  active_requests: number;
  requests_per_second: number;
  waiting: number;
  nats_connected: boolean;
}

export interface Advisor {
  leads: "rules" | "llm";
  backend: string;
  since: string | null;
}

export interface Snapshot {
  time: string;
  gateway: LiveGateway;
  models: LiveModel[];
  devices: LiveDevice[];
  advisor: Advisor | null;
}

export interface Change extends Snapshot {
  gone_models?: string[];
  gone_devices?: string[];
}

export interface BusEvent {
  seq: number;
  time: string;
  subject: string;
  source: string;
  model: string | null;
  payload: Record<string, unknown>;
}

export interface RecentEvents {
  events: BusEvent[];
  next_before: number | null;
}

export interface CommandAccepted {
  model: string;
  state: ModelState;
  status_url: string;
}
