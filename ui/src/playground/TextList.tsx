import { Plus, X } from "lucide-react";

import { Button } from "../components/Button";
import { TextArea } from "../components/TextArea";

interface Props {
  /** What one of them is called, as in "Text 2". */
  name: string;
  texts: readonly string[];
  onChange: (texts: string[]) => void;
  /** It keeps at least so many. */
  least: number;
}

/** Texts, each in a field of its own. */
export function TextList({ name, texts, onChange, least }: Props) {
  const put = (at: number, text: string) => onChange(texts.map((old, n) => (n === at ? text : old)));
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1 font-medium">{name}s</legend>
      {texts.map((text, at) => (
        <div key={at} className="flex items-start gap-1">
          <TextArea
            label={`${name} ${at + 1}`}
            hideLabel
            rows={1}
            placeholder={`${name} ${at + 1}`}
            value={text}
            onChange={(event) => put(at, event.target.value)}
          />
          {texts.length > least && (
            <Button
              look="quiet"
              aria-label={`Remove ${name.toLowerCase()} ${at + 1}`}
              onClick={() => onChange(texts.filter((_, n) => n !== at))}
            >
              <X size={14} aria-hidden="true" />
            </Button>
          )}
        </div>
      ))}
      <div>
        <Button onClick={() => onChange([...texts, ""])}>
          <Plus size={14} aria-hidden="true" /> Add {name.toLowerCase()}
        </Button>
      </div>
    </fieldset>
  );
}

/** Those that are not empty. */
export const written = (texts: readonly string[]): string[] => texts.filter((text) => text.trim() !== "");
