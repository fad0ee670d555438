import { Field } from "../components/Field";
import { TextArea } from "../components/TextArea";
import type { ChatOptions } from "./conversation";

interface Props {
  options: ChatOptions;
  onChange: (options: ChatOptions) => void;
  withSystem?: boolean;
}

/** What a request may say beside its text; empty fields are left to the model. */
export function OptionFields({ options, onChange, withSystem = false }: Props) {
  const put = (change: Partial<ChatOptions>) => onChange({ ...options, ...change });
  return (
    <details className="rounded-md border border-line">
      <summary className="cursor-pointer px-3 py-2 text-muted">Options</summary>
      <div className="flex flex-col gap-3 border-t border-line p-3">
        {withSystem && (
          <TextArea
            label="System prompt"
            rows={2}
            value={options.system}
            onChange={(event) => put({ system: event.target.value })}
          />
        )}
        <div className="grid gap-3 sm:grid-cols-2">
          <Field
            label="Most tokens of an answer"
            type="number"
            min={1}
            value={options.maxTokens}
            onChange={(event) => put({ maxTokens: event.target.value })}
          />
          <Field
            label="Temperature"
            type="number"
            min={0}
            max={2}
            step={0.1}
            placeholder="the model's own"
            value={options.temperature}
            onChange={(event) => put({ temperature: event.target.value })}
          />
        </div>
      </div>
    </details>
  );
}
