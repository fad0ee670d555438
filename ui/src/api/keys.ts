// API keys, for operators.
import { json } from "./client";
import type { Scope } from "./types";

export interface ApiKey {
  key_id: string;
  organization: string;
  name: string;
  scopes: Scope[];
  models: string[];
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrent_requests: number | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

/** What a new key is to be; what is left out has no bound. */
export interface KeyWanted {
  name: string;
  organization?: string;
  scopes: Scope[];
  models: string[];
  requests_per_minute?: number;
  tokens_per_minute?: number;
  concurrent_requests?: number;
  expires_at?: string;
}

export const listKeys = (signal: AbortSignal) => json<{ keys: ApiKey[] }>("/admin/keys", { signal });

/** `key` of the answer is the only place where it can be read. */
export const createKey = (wanted: KeyWanted) =>
  json<ApiKey & { key: string }>("/admin/keys", { method: "POST", body: wanted });

export const revokeKey = (id: string) =>
  json<ApiKey>(`/admin/keys/${encodeURIComponent(id)}`, { method: "DELETE" });
