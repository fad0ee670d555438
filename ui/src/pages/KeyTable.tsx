import { useState } from "react";

import { sentence } from "../api/error";
import { type ApiKey, revokeKey } from "../api/keys";
import { useSession } from "../api/session";
import { Button } from "../components/Button";
import { say } from "../components/toasts";
import { Wide } from "../components/Wide";
import { clockTime, count } from "../lib/format";

interface Props {
  keys: readonly ApiKey[];
  onChanged: () => void;
}

const HEADS = ["Key", "Name", "Organisation", "Scopes", "Models", "Bounds", "Made", "State"];

/** The keys, those that still work first. */
export function KeyTable({ keys, onChanged }: Props) {
  const rows = keys.toSorted(
    (one, other) => Number(hasEnded(one)) - Number(hasEnded(other)) || other.created_at.localeCompare(one.created_at),
  );
  return (
    <Wide label="Keys">
      <table className="w-full text-left">
        <thead className="text-muted">
          <tr>
            {HEADS.map((name) => (
              <th key={name} className="py-2 pl-4 font-normal">
                {name}
              </th>
            ))}
            <th className="pr-4 pl-4">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((key) => (
            <KeyRow key={key.key_id} apiKey={key} onChanged={onChanged} />
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function KeyRow({ apiKey, onChanged }: { apiKey: ApiKey; onChanged: () => void }) {
  const ended = hasEnded(apiKey);
  const own = useSession((state) => state.session?.key_id) === apiKey.key_id;
  return (
    <tr className={`border-t border-line ${ended ? "text-muted" : ""}`}>
      <td className="py-1.5 pl-4 whitespace-nowrap">
        <code>{apiKey.key_id}</code>
        {own && <span className="text-muted"> yours</span>}
      </td>
      <td className="max-w-48 truncate pl-4">{apiKey.name || "–"}</td>
      <td className="max-w-40 truncate pl-4">{apiKey.organization}</td>
      <td className="pl-4">{apiKey.scopes.join(", ")}</td>
      <td className="max-w-48 truncate pl-4">{apiKey.models.join(", ") || "all"}</td>
      <td className="numbers pl-4">{boundsOf(apiKey)}</td>
      <td className="numbers pl-4 whitespace-nowrap">{clockTime(apiKey.created_at)}</td>
      <td className="pl-4 whitespace-nowrap">{stateOf(apiKey)}</td>
      <td className="py-1 pr-4 pl-4 text-right whitespace-nowrap">
        {!apiKey.revoked_at && <Revoke apiKey={apiKey} onRevoked={onChanged} />}
      </td>
    </tr>
  );
}

/** Asks once more before: what uses the key stops at once. */
function Revoke({ apiKey, onRevoked }: { apiKey: ApiKey; onRevoked: () => void }) {
  const [sure, setSure] = useState(false);
  const name = apiKey.name || apiKey.key_id;
  const revoke = async () => {
    try {
      await revokeKey(apiKey.key_id);
      say("good", `The key ${name} is revoked.`);
      onRevoked();
    } catch (error) {
      setSure(false);
      say("bad", sentence(error));
    }
  };
  if (!sure) {
    return (
      <Button look="danger" aria-label={`Revoke the key ${name}`} onClick={() => setSure(true)}>
        Revoke
      </Button>
    );
  }
  return (
    <span className="inline-flex gap-1">
      <Button autoFocus look="danger" onClick={() => void revoke()}>
        Revoke for good
      </Button>
      <Button onClick={() => setSure(false)}>Keep</Button>
    </span>
  );
}

function hasEnded(key: ApiKey): boolean {
  return key.revoked_at !== null || (key.expires_at !== null && Date.parse(key.expires_at) <= Date.now());
}

function stateOf(key: ApiKey): string {
  if (key.revoked_at) return `revoked ${clockTime(key.revoked_at)}`;
  if (!key.expires_at) return "works";
  return `${hasEnded(key) ? "expired" : "until"} ${clockTime(key.expires_at)}`;
}

function boundsOf(key: ApiKey): string {
  const bounds = [
    key.requests_per_minute !== null && `${count(key.requests_per_minute)} requests/min`,
    key.tokens_per_minute !== null && `${count(key.tokens_per_minute)} tokens/min`,
    key.concurrent_requests !== null && `${count(key.concurrent_requests)} at once`,
  ];
  return bounds.filter(Boolean).join(", ") || "none";
}
