import { useId, useState } from "react";

import { json } from "../api/client";
import { Notice } from "../components/Notice";
import { useAsked } from "../lib/useAsked";
import { useModel } from "../live/store";
import { ChatPanel } from "./ChatPanel";
import { ClassifyPanel } from "./ClassifyPanel";
import { CompletionPanel } from "./CompletionPanel";
import { EmbeddingPanel } from "./EmbeddingPanel";
import { ImagePanel } from "./ImagePanel";
import { MODE_LABELS, type Mode, modesOf, type PlayableModel } from "./model";
import { RawPanel } from "./RawPanel";
import { RerankPanel } from "./RerankPanel";
import { TensorPanel } from "./TensorPanel";
import { TranscriptionPanel } from "./TranscriptionPanel";

/** Try a model, in the ways that fit what it is for. A request to one that is not loaded loads it. */
export function Playground({ model }: { model: string }) {
  const path = `/models/${encodeURIComponent(model)}`;
  // What it answers is known once it is analysed, and anew when its files have changed.
  const task = useModel(model)?.task ?? "";
  const { value, problem } = useAsked((signal) => json<PlayableModel>(path, { signal }), `${path} ${task}`);
  if (problem) return <Notice>{problem}</Notice>;
  if (!value) return null;
  if (value.capabilities.length === 0) {
    return <p className="text-muted">It is {value.state}: there is nothing to ask it yet.</p>;
  }
  return <Modes key={`${model} ${value.task}`} model={value} modes={modesOf(value)} />;
}

function Modes({ model, modes }: { model: PlayableModel; modes: Mode[] }) {
  const [mode, setMode] = useState<Mode>(modes[0]!);
  const name = useId();
  return (
    <div className="flex max-w-4xl flex-col gap-4">
      <fieldset className="flex max-w-full gap-1 self-start overflow-x-auto rounded-md bg-raised p-0.5">
        <legend className="sr-only">How to try the model</legend>
        {modes.map((each) => (
          <label
            key={each}
            className="relative cursor-pointer rounded px-2.5 py-0.5 whitespace-nowrap text-muted hover:text-text
              has-checked:bg-surface has-checked:text-text has-focus-visible:outline-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name={name}
              className="sr-only"
              checked={mode === each}
              onChange={() => setMode(each)}
            />
            {MODE_LABELS[each]}
          </label>
        ))}
      </fieldset>
      <PanelOf mode={mode} model={model} />
    </div>
  );
}

const PANELS: Record<Exclude<Mode, "raw">, (props: { model: string }) => React.ReactNode> = {
  chat: ChatPanel,
  completion: CompletionPanel,
  embeddings: EmbeddingPanel,
  rerank: RerankPanel,
  classify: ClassifyPanel,
  image: ImagePanel,
  tensors: TensorPanel,
  transcription: TranscriptionPanel,
};

function PanelOf({ mode, model }: { mode: Mode; model: PlayableModel }) {
  if (mode === "raw") return <RawPanel model={model} />;
  const Panel = PANELS[mode];
  return <Panel model={model.model} />;
}
