import { useEffect, useState } from "react";

import { call } from "./call";
import { FilePick } from "./FilePick";
import { Panel } from "./Panel";
import type { PlayRequest } from "./request";
import { Scores } from "./Scores";
import { useRun } from "./useRun";

interface Predictions {
  predictions: { label: string; score: number; labels?: { label: string; score: number }[] }[];
}

/** What a model sees in an image. */
export function ImagePanel({ model }: { model: string }) {
  const [file, setFile] = useState<File | null>(null);
  const { start, stop, ...run } = useRun<Predictions>();
  const request: PlayRequest | null = file ? { path: `/predict/${encodeURIComponent(model)}`, file } : null;
  const look = () => request && start((signal) => call<Predictions>(request, signal));
  const seen = run.result?.predictions[0];
  return (
    <Panel
      {...run}
      model={model}
      request={request}
      onRun={() => void look()}
      onStop={stop}
      action="Look"
      answer={
        seen && (
          <Scores
            label="Labels, the likeliest first"
            scores={(seen.labels ?? [seen]).map(({ label, score }) => ({ name: label, score }))}
          />
        )
      }
    >
      <FilePick label="Drop an image here, or choose one" accept="image/*" file={file} onPick={setFile}>
        {file && <Preview file={file} />}
      </FilePick>
    </Panel>
  );
}

function Preview({ file }: { file: File }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url ? <img src={url} alt={`The image ${file.name}`} className="max-h-56 max-w-full rounded" /> : null;
}
