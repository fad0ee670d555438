import { useState } from "react";

import { Button } from "../components/Button";
import { TextArea } from "../components/TextArea";
import { NO_OPTIONS, optionMembers, STREAMED } from "./conversation";
import { CopyAs } from "./CopyAs";
import { FiguresLine } from "./FiguresLine";
import { OptionFields } from "./OptionFields";
import { Problem } from "./Problem";
import type { PlayRequest } from "./request";
import { useGeneration, type Written } from "./useGeneration";
import { Waiting } from "./Waiting";

/** A text that the model goes on with. */
export function CompletionPanel({ model }: { model: string }) {
  const [prompt, setPrompt] = useState("Once upon a time");
  const [options, setOptions] = useState({ ...NO_OPTIONS, maxTokens: "128" });
  const [written, setWritten] = useState<Written | null>(null);
  const { start, stop, ...state } = useGeneration();
  const json = { model, prompt, ...optionMembers(options), ...STREAMED };
  const request: PlayRequest = { path: "/v1/completions", json };
  const run = async () => {
    setWritten(null);
    setWritten(await start(request));
  };
  const text = state.running ? state.text : (written?.text ?? "");
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (!state.running) void run();
      }}
    >
      <TextArea label="Prompt" rows={4} value={prompt} onChange={(event) => setPrompt(event.target.value)} />
      <OptionFields options={options} onChange={setOptions} />
      <div className="flex gap-2">
        {state.running ? (
          <Button onClick={stop}>Stop</Button>
        ) : (
          <Button look="primary" type="submit" disabled={!prompt}>
            Complete
          </Button>
        )}
      </div>
      {state.running && !text && <Waiting progress={state.progress} />}
      <Problem error={state.error} onRetry={() => void run()} />
      {text && (
        <section aria-label="Completion" className="rounded-md border border-line px-3 py-2">
          <p className="break-words whitespace-pre-wrap" aria-busy={state.running}>
            <span className="text-muted">{prompt}</span>
            {text}
          </p>
          {written && <FiguresLine figures={written.figures} />}
        </section>
      )}
      <CopyAs request={request} />
    </form>
  );
}
