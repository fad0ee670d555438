import { useState } from "react";

import { call } from "./call";
import { Matrix } from "./Matrix";
import { Panel } from "./Panel";
import type { PlayRequest } from "./request";
import { TextList, written } from "./TextList";
import { useRun } from "./useRun";
import { similarities } from "./vectors";

interface Embeddings {
  data: { index: number; embedding: number[] }[];
  usage?: { prompt_tokens?: number };
}

/** How alike texts are, by the cosine of their embeddings. */
export function EmbeddingPanel({ model }: { model: string }) {
  const [texts, setTexts] = useState(["A cat sits on the mat.", "A kitten lies on the rug.", "Interest rates rose."]);
  const { start, stop, ...run } = useRun<{ texts: string[]; vectors: number[][] }>();
  const input = written(texts);
  const request: PlayRequest | null =
    input.length > 0 ? { path: "/v1/embeddings", json: { model, input } } : null;
  const compute = () =>
    request &&
    start(async (signal) => {
      const { data } = await call<Embeddings>(request, signal);
      const vectors = data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
      return { texts: input, vectors };
    });
  return (
    <Panel
      {...run}
      model={model}
      request={request}
      onRun={() => void compute()}
      onStop={stop}
      action="Compare"
      answer={run.result && <Similarity {...run.result} />}
    >
      <TextList name="Text" texts={texts} onChange={setTexts} least={2} />
    </Panel>
  );
}

function Similarity({ texts, vectors }: { texts: string[]; vectors: number[][] }) {
  return (
    <div className="flex flex-col gap-2">
      <Matrix names={texts} values={similarities(vectors)} />
      <p className="numbers text-muted">{vectors[0]?.length ?? 0} dimensions; 1 is the same direction, 0 unrelated.</p>
    </div>
  );
}
