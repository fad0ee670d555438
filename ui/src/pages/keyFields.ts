// The fields of the form for a new key, and what they ask for. Pure.
import type { KeyWanted } from "../api/keys";
import type { Scope } from "../api/types";

export interface KeyFields {
  name: string;
  organization: string;
  models: string;
  scopes: Scope[];
  requests: string;
  tokens: string;
  concurrent: string;
  /** As a browser's field has it: this place's time, without a zone. */
  until: string;
}

export const EMPTY_KEY: KeyFields = {
  name: "",
  organization: "",
  models: "",
  scopes: ["inference", "read"],
  requests: "",
  tokens: "",
  concurrent: "",
  until: "",
};

/** What is empty is left out: it has no bound. */
export function wantedKey(fields: KeyFields): KeyWanted {
  return {
    name: fields.name.trim(),
    scopes: fields.scopes,
    models: fields.models.split(/[\s,]+/).filter(Boolean),
    ...(fields.organization.trim() ? { organization: fields.organization.trim() } : {}),
    ...(fields.requests ? { requests_per_minute: Number(fields.requests) } : {}),
    ...(fields.tokens ? { tokens_per_minute: Number(fields.tokens) } : {}),
    ...(fields.concurrent ? { concurrent_requests: Number(fields.concurrent) } : {}),
    ...(fields.until ? { expires_at: new Date(fields.until).toISOString() } : {}),
  };
}
