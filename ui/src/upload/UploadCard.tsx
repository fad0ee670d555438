import { useState } from "react";

import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { ModelLink } from "../components/ModelLink";
import { Progress } from "../components/Progress";
import { bytes, count, percent } from "../lib/format";
import { discard, type ModelUpload, pause, start } from "./uploads";

/** One model on its way: its name is asked for, then how far it is. */
export function UploadCard({ upload }: { upload: ModelUpload }) {
  return (
    <article aria-label={`Upload of ${upload.model}`} className="rounded-lg border border-line bg-surface p-4 shadow-lg">
      {upload.state === "asking" ? <Question upload={upload} /> : <OnItsWay upload={upload} />}
    </article>
  );
}

function Question({ upload }: { upload: ModelUpload }) {
  const [model, setModel] = useState(upload.model);
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        void start(upload.id, model.trim());
      }}
    >
      <Field
        autoFocus
        required
        label="Upload as the model"
        hint={`${count(upload.pieces.length)} ${upload.pieces.length === 1 ? "file" : "files"}, ${bytes(upload.totalBytes)}`}
        value={model}
        onChange={(event) => setModel(event.target.value)}
      />
      <div className="flex gap-2">
        <Button look="primary" type="submit" disabled={!model.trim()}>
          Upload
        </Button>
        <Button onClick={() => void discard(upload.id)}>Cancel</Button>
      </div>
    </form>
  );
}

const SAYS: Record<Exclude<ModelUpload["state"], "asking">, string> = {
  sending: "sending",
  paused: "paused",
  failed: "failed",
  finishing: "made visible",
  done: "uploaded; it is being looked at",
};

function OnItsWay({ upload }: { upload: ModelUpload }) {
  const { id, model, state, path, sentBytes, totalBytes, problem } = upload;
  const ratio = totalBytes > 0 ? sentBytes / totalBytes : Number(state === "done");
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-baseline justify-between gap-3">
        <ModelLink model={model} className="truncate" />
        <span role="status" className="text-muted">
          {state === "asking" ? "" : SAYS[state]}
        </span>
      </div>
      <Progress label={`Progress of ${model}`} ratio={ratio} />
      <p className="numbers flex justify-between gap-3 text-muted">
        <span className="truncate">{path}</span>
        <span className="whitespace-nowrap">
          {bytes(sentBytes)} of {bytes(totalBytes)}, {percent(ratio)}
        </span>
      </p>
      {problem && (
        <p role="alert" className="break-words text-bad">
          {problem}
        </p>
      )}
      <div className="flex gap-2">
        {state === "sending" && <Button onClick={() => pause(id)}>Pause</Button>}
        {state === "paused" && <Button look="primary" onClick={() => void start(id)}>Resume</Button>}
        {state === "failed" && <Button look="primary" onClick={() => void start(id)}>Try again</Button>}
        <Button onClick={() => void discard(id)}>{state === "done" ? "Close" : "Discard"}</Button>
      </div>
    </div>
  );
}
