import { useId } from "react";

import { TextArea } from "../components/TextArea";
import { parseObject } from "./jsonText";

interface Props {
  label: string;
  text: string;
  onChange: (text: string) => void;
}

/** A field for a JSON object that says what is wrong with it. */
export function JsonEditor({ label, text, onChange }: Props) {
  const id = useId();
  const { problem } = parseObject(text);
  return (
    <div>
      <TextArea
        label={label}
        rows={Math.min(20, Math.max(6, text.split("\n").length))}
        spellCheck={false}
        className="font-mono text-xs leading-5"
        value={text}
        aria-invalid={problem !== null}
        aria-describedby={id}
        onChange={(event) => onChange(event.target.value)}
      />
      <p id={id} aria-live="polite" className="mt-1 min-h-5 text-bad">
        {problem}
      </p>
    </div>
  );
}
