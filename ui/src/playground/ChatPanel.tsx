import { useState } from "react";

import { Button } from "../components/Button";
import { ChatComposer } from "./ChatComposer";
import { ChatTurn } from "./ChatTurn";
import { chatBody, NO_OPTIONS, type Turn } from "./conversation";
import { CopyAs } from "./CopyAs";
import { useKeptTurns } from "./kept";
import { OptionFields } from "./OptionFields";
import { Problem } from "./Problem";
import { useGeneration } from "./useGeneration";
import { useStayAtEnd } from "./useStayAtEnd";
import { Waiting } from "./Waiting";

const CHAT = "/v1/chat/completions";

/** A conversation whose answers appear as they are written. */
export function ChatPanel({ model }: { model: string }) {
  const [turns, setTurns] = useKeptTurns(model);
  const [draft, setDraft] = useState("");
  const [options, setOptions] = useState(NO_OPTIONS);
  const { start, stop, ...state } = useGeneration();

  const answer = async (asked: Turn[]) => {
    setTurns(asked);
    const written = await start({ path: CHAT, json: chatBody(model, asked, options) });
    if (!written) return;
    const { text: content, thought, figures, stopped } = written;
    const finish = stopped ? "stopped" : figures.finish;
    setTurns([...asked, { role: "assistant", content, thought, figures: { ...figures, finish } }]);
  };
  const send = () => {
    if (!draft.trim() || state.running) return;
    setDraft("");
    void answer([...turns, { role: "user", content: draft }]);
  };

  // What is being written, else what was asked last.
  const writes = draft.trim() !== "" || turns.length === 0;
  const shown: Turn[] = writes ? [...turns, { role: "user", content: draft }] : upToQuestion(turns);
  const list = useStayAtEnd(state.text.length + state.thought.length + turns.length);
  const unanswered = !state.running && !state.error && turns.at(-1)?.role === "user";
  const hasText = state.text !== "" || state.thought !== "";
  return (
    <div className="flex flex-col gap-3">
      <OptionFields options={options} onChange={setOptions} withSystem />
      {turns.length > 0 && (
        <ol
          ref={list}
          tabIndex={0}
          aria-label="Conversation"
          className="flex max-h-[60dvh] flex-col gap-3 overflow-y-auto"
        >
          {turns.map((turn, at) => (
            <ChatTurn key={at} turn={turn} />
          ))}
          {state.running && hasText && (
            <ChatTurn turn={{ role: "assistant", content: state.text, thought: state.thought }} writing />
          )}
        </ol>
      )}
      {state.running && !hasText && <Waiting progress={state.progress} />}
      <Problem error={state.error} onRetry={() => void answer(upToQuestion(turns))} />
      {unanswered && (
        <p className="flex flex-wrap items-center gap-2 text-muted">
          There is no answer: its request was ended, by a stop or by leaving this page.
          <Button onClick={() => void answer(turns)}>Ask again</Button>
        </p>
      )}
      <ChatComposer
        draft={draft}
        onDraft={setDraft}
        running={state.running}
        onSend={send}
        onStop={stop}
        {...(turns.length > 0 && !state.running ? { onClear: () => setTurns([]) } : {})}
      />
      <CopyAs request={{ path: CHAT, json: chatBody(model, shown, options) }} />
    </div>
  );
}

/** Without what was answered after the last question, which is asked again. */
function upToQuestion(turns: Turn[]): Turn[] {
  const last = turns.findLastIndex(({ role }) => role === "user");
  return turns.slice(0, last + 1);
}
