import { useState } from "react";

import { useSession } from "../api/session";
import { CopyButton } from "../components/CopyButton";
import type { PlayRequest } from "./request";
import { asCurl, asPython } from "./snippets";

/** The request that the panel would send, for a shell and for Python. */
export function CopyAs({ request }: { request: PlayRequest | null }) {
  const authentication = useSession((state) => state.session?.authentication);
  const [language, setLanguage] = useState<"curl" | "Python">("curl");
  if (!request) return null;
  const target = { origin: window.location.origin, needsKey: authentication !== "none" };
  const text = language === "curl" ? asCurl(request, target) : asPython(request, target);
  return (
    <details className="rounded-md border border-line">
      <summary className="cursor-pointer px-3 py-2 text-muted">The same as curl or Python</summary>
      <div className="border-t border-line">
        <div className="flex items-center gap-1 px-3 py-2">
          {(["curl", "Python"] as const).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={language === name}
              onClick={() => setLanguage(name)}
              className="rounded px-2 py-0.5 text-muted aria-pressed:bg-raised aria-pressed:text-text"
            >
              {name}
            </button>
          ))}
          <span className="grow" />
          <CopyButton text={text} label={`Copy as ${language}`} />
        </div>
        <pre
          tabIndex={0}
          aria-label={`The request as ${language}`}
          className="max-h-72 overflow-auto px-3 pb-3 font-mono text-xs leading-5"
        >
          {text}
        </pre>
      </div>
    </details>
  );
}
