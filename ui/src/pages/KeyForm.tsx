import { useState, type FormEvent } from "react";

import { sentence } from "../api/error";
import { createKey } from "../api/keys";
import type { Scope } from "../api/types";
import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { Field } from "../components/Field";
import { Notice } from "../components/Notice";
import { EMPTY_KEY, type KeyFields, wantedKey } from "./keyFields";

const SCOPES: { scope: Scope; about: string }[] = [
  { scope: "inference", about: "ask models" },
  { scope: "read", about: "see models, devices, events and its organisation's usage" },
  { scope: "admin", about: "everything, also for other organisations" },
];

interface Props {
  onMade: (key: string) => void;
  onClose: () => void;
}

/** What a new key is to be. */
export function KeyForm({ onMade, onClose }: Props) {
  const [fields, setFields] = useState(EMPTY_KEY);
  const [problem, setProblem] = useState("");
  const [making, setMaking] = useState(false);
  const put = (change: Partial<KeyFields>) => setFields({ ...fields, ...change });
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setMaking(true);
    try {
      onMade((await createKey(wantedKey(fields))).key);
    } catch (error) {
      setProblem(sentence(error));
      setMaking(false);
    }
  };
  return (
    <Card title="New key">
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        {problem && <Notice>{problem}</Notice>}
        <div className="grid gap-3 md:grid-cols-2 xl:grid-cols-4">
          <Field autoFocus label="Name" maxLength={200} hint="for people" value={fields.name} onChange={(e) => put({ name: e.target.value })} />
          <Field
            label="Organisation"
            hint="left out: your own"
            value={fields.organization}
            onChange={(e) => put({ organization: e.target.value })}
          />
          <Field
            label="Models"
            hint="names or patterns like qwen-*, with commas; none: all"
            value={fields.models}
            onChange={(e) => put({ models: e.target.value })}
          />
          <Field label="Until" type="datetime-local" hint="left out: until it is revoked" value={fields.until} onChange={(e) => put({ until: e.target.value })} />
        </div>
        <fieldset>
          <legend className="mb-1 font-medium">What it may do</legend>
          <div className="flex flex-col gap-1">
            {SCOPES.map(({ scope, about }) => (
              <label key={scope} className="flex items-baseline gap-2">
                <input
                  type="checkbox"
                  className="self-center"
                  checked={fields.scopes.includes(scope)}
                  onChange={(e) => put({ scopes: e.target.checked ? [...fields.scopes, scope] : fields.scopes.filter((s) => s !== scope) })}
                />
                {scope} <span className="text-muted">{about}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <div className="grid gap-3 md:grid-cols-3">
          <Bound label="Requests per minute" value={fields.requests} onChange={(requests) => put({ requests })} />
          <Bound label="Tokens per minute" value={fields.tokens} onChange={(tokens) => put({ tokens })} />
          <Bound label="Requests at once" value={fields.concurrent} onChange={(concurrent) => put({ concurrent })} />
        </div>
        <div className="flex gap-2">
          <Button look="primary" type="submit" disabled={making || fields.scopes.length === 0}>
            Make the key
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
    </Card>
  );
}

function Bound({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <Field label={label} type="number" min={1} step={1} placeholder="no bound of its own" value={value} onChange={(event) => onChange(event.target.value)} />
  );
}
