import { SendHorizontal, Square, Trash2 } from "lucide-react";
import type { KeyboardEvent } from "react";

import { Button } from "../components/Button";
import { TextArea } from "../components/TextArea";

interface Props {
  draft: string;
  onDraft: (draft: string) => void;
  running: boolean;
  onSend: () => void;
  onStop: () => void;
  /** Left out: there is nothing to clear. */
  onClear?: () => void;
}

/** Where the next message is written; Enter sends it, Shift and Enter begin a line. */
export function ChatComposer({ draft, onDraft, running, onSend, onStop, onClear }: Props) {
  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    onSend();
  };
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
    >
      <TextArea
        label="Message"
        hideLabel
        rows={2}
        placeholder="Write a message"
        value={draft}
        onChange={(event) => onDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="flex items-center gap-2">
        {running ? (
          <Button onClick={onStop}>
            <Square size={14} aria-hidden="true" /> Stop
          </Button>
        ) : (
          <Button look="primary" type="submit" disabled={!draft.trim()}>
            <SendHorizontal size={14} aria-hidden="true" /> Send
          </Button>
        )}
        {onClear && (
          <Button look="quiet" onClick={onClear}>
            <Trash2 size={14} aria-hidden="true" /> Clear
          </Button>
        )}
        <span className="ml-auto hidden text-xs text-muted sm:block">Enter sends, Shift+Enter begins a line</span>
      </div>
    </form>
  );
}
