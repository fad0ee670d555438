import { useEffect, useRef } from "react";

import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { CopyButton } from "../components/CopyButton";

/** A key that was just made, for as long as it is shown. */
export function NewKey({ text, onDone }: { text: string; onDone: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), [text]);
  return (
    <Card title="The new key">
      <p className="mb-2">Copy it now: it cannot be shown again.</p>
      <div className="flex flex-wrap items-center gap-2">
        <input
          ref={field}
          readOnly
          aria-label="The new key"
          value={text}
          className="h-8 min-w-0 grow rounded-md border border-line bg-raised px-2.5 font-mono text-xs"
        />
        <CopyButton text={text} label="Copy the key" />
        <Button look="quiet" onClick={onDone}>
          Done
        </Button>
      </div>
    </Card>
  );
}
