import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";

import { Button } from "./Button";
import { say } from "./toasts";

const SHOWN_MS = 2_000;

/** Puts a text into the clipboard; says so on the button. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      // Browsers give the clipboard only to pages on HTTPS or on this machine.
      say("bad", "The browser did not let the page copy; select the text instead.");
    }
  };

  return (
    <Button onClick={() => void copy()}>
      {copied ? <Check size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />}
      <span aria-live="polite">{copied ? "Copied" : label}</span>
    </Button>
  );
}
