import { useState } from "react";

import { percent } from "../lib/format";
import { call } from "./call";
import { Panel } from "./Panel";
import type { PlayRequest } from "./request";
import { TextList, written } from "./TextList";
import { useRun } from "./useRun";

interface Classes {
  data: { index: number; label: string | null; probs: number[] }[];
}

/** The label of each text. */
export function ClassifyPanel({ model }: { model: string }) {
  const [texts, setTexts] = useState(["What a lovely day!"]);
  const { start, stop, ...run } = useRun<{ texts: string[]; classes: Classes }>();
  const input = written(texts);
  const request: PlayRequest | null = input.length > 0 ? { path: "/classify", json: { model, input } } : null;
  const classify = () =>
    request && start(async (signal) => ({ texts: input, classes: await call<Classes>(request, signal) }));
  return (
    <Panel
      {...run}
      model={model}
      request={request}
      onRun={() => void classify()}
      onStop={stop}
      action="Classify"
      answer={run.result && <Labels {...run.result} />}
    >
      <TextList name="Text" texts={texts} onChange={setTexts} least={1} />
    </Panel>
  );
}

function Labels({ texts, classes }: { texts: string[]; classes: Classes }) {
  return (
    <table className="w-full">
      <thead className="text-left text-muted">
        <tr>
          <th className="py-1 font-normal">Text</th>
          <th className="font-normal">Label</th>
          <th className="text-right font-normal">Probability</th>
        </tr>
      </thead>
      <tbody>
        {classes.data.map(({ index, label, probs }) => (
          <tr key={index} className="border-t border-line">
            <td className="max-w-0 w-2/3 truncate py-1 pr-3">{texts[index]}</td>
            <td>{label ?? `class ${probs.indexOf(Math.max(...probs))}`}</td>
            <td className="numbers text-right">{percent(Math.max(...probs))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
