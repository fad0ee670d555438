import { useState, type FormEvent } from "react";

import { openSession, signIn, useSession } from "../api/session";
import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { Notice } from "../components/Notice";
import { Logo } from "./Logo";

/** Where a key is asked for, or where the gateway cannot be reached. */
export function SignIn() {
  const { status, problem } = useSession();
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const away = status === "unreachable";

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    await (away ? openSession() : signIn(key));
    setBusy(false);
  }

  return (
    <main className="flex min-h-dvh items-center justify-center p-4">
      <form onSubmit={submit} className="w-full max-w-sm rounded-lg border border-line bg-surface p-6">
        <h1 className="mb-5 flex items-center gap-2 text-lg font-semibold tracking-tight">
          <Logo /> Modelium
        </h1>
        <div className="space-y-4">
          {problem && <Notice>{problem}</Notice>}
          {!away && (
            <Field
              label="API key"
              type="password"
              autoComplete="off"
              autoFocus
              required
              value={key}
              onChange={(event) => setKey(event.target.value)}
              hint="Kept in this tab only, until you close it. `modelium keys create` makes one."
            />
          )}
          <Button type="submit" look="primary" className="h-8 w-full" disabled={busy}>
            {away ? "Try again" : "Sign in"}
          </Button>
        </div>
      </form>
    </main>
  );
}
