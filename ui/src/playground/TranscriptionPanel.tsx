import { useState } from "react";

import { call } from "./call";
import { FilePick } from "./FilePick";
import { Panel } from "./Panel";
import type { PlayRequest } from "./request";
import { useRun } from "./useRun";

/** What is said in a recording. */
export function TranscriptionPanel({ model }: { model: string }) {
  const [file, setFile] = useState<File | null>(null);
  const { start, stop, ...run } = useRun<{ text: string }>();
  const request: PlayRequest | null = file
    ? { path: "/v1/audio/transcriptions", form: { fields: { model }, file } }
    : null;
  return (
    <Panel
      {...run}
      model={model}
      request={request}
      onRun={() => request && void start((signal) => call(request, signal))}
      onStop={stop}
      action="Transcribe"
      answer={run.result && <p className="whitespace-pre-wrap">{run.result.text}</p>}
    >
      <FilePick label="Drop a recording here, or choose one" accept="audio/*" file={file} onPick={setFile} />
    </Panel>
  );
}
