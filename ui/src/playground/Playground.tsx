import { useId, useState, type KeyboardEvent } from "react";

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
  const id = useId();
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = modes[(modes.indexOf(mode) + step + modes.length) % modes.length]!;
    setMode(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <div>
      <div
        role="tablist"
        aria-label="Ways to try the model"
        onKeyDown={onKeyDown}
        className="mb-4 flex gap-1 overflow-x-auto border-b border-line"
      >
        {modes.map((name) => (
          <button
            key={name}
            id={`${id}-${name}`}
            type="button"
            role="tab"
            aria-selected={mode === name}
            aria-controls={`${id}-panel`}
            tabIndex={mode === name ? 0 : -1}
            onClick={() => setMode(name)}
            className="-mb-px whitespace-nowrap border-b-2 border-transparent px-2.5 py-1.5 font-medium text-muted
              hover:text-text aria-selected:border-accent aria-selected:text-text"
          >
            {MODE_LABELS[name]}
          </button>
        ))}
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${mode}`}>
        <PanelOf mode={mode} model={model} />
      </div>
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
