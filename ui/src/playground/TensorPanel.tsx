import { useState } from "react";

import { json } from "../api/client";
import { Notice } from "../components/Notice";
import { useAsked } from "../lib/useAsked";
import { call } from "./call";
import { JsonEditor } from "./JsonEditor";
import { parseObject, pretty } from "./jsonText";
import { Panel } from "./Panel";
import type { PlayRequest } from "./request";
import { TensorTable } from "./TensorTable";
import { exampleFor, filledIn, type Tensor, type TensorSpec } from "./tensors";
import { useRun } from "./useRun";

interface Metadata {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
}

/** Arrays in, arrays out, by the Open Inference Protocol. */
export function TensorPanel({ model }: { model: string }) {
  const path = `/v2/models/${encodeURIComponent(model)}`;
  const { value, problem } = useAsked((signal) => json<Metadata>(path, { signal }), path);
  if (problem) return <Notice>{problem}</Notice>;
  return value ? <Inference model={model} path={`${path}/infer`} metadata={value} /> : null;
}

function Inference({ model, path, metadata }: { model: string; path: string; metadata: Metadata }) {
  const [text, setText] = useState(() => pretty(exampleFor(metadata.inputs)));
  const { start, stop, ...run } = useRun<{ outputs: Tensor[] }>();
  const { value } = parseObject(text);
  const request: PlayRequest | null = value ? { path, json: value } : null;
  const infer = () =>
    request?.json && start((signal) => call({ path, json: filledIn(request.json!, Math.random) }, signal));
  return (
    <Panel
      {...run}
      model={model}
      request={request}
      onRun={() => void infer()}
      onStop={stop}
      action="Infer"
      answer={run.result && <TensorTable label="Outputs" tensors={run.result.outputs} />}
    >
      <TensorTable label="What the model takes" tensors={metadata.inputs} />
      <JsonEditor label="Request" text={text} onChange={setText} />
      <p className="text-muted">
        <code>"data": "random"</code> is filled with as many random values as the shape has.
      </p>
    </Panel>
  );
}
