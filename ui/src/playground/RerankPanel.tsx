import { useState } from "react";

import { call } from "./call";
import { Field } from "../components/Field";
import { Panel } from "./Panel";
import type { PlayRequest } from "./request";
import { type Score, Scores } from "./Scores";
import { TextList, written } from "./TextList";
import { useRun } from "./useRun";

interface Ranking {
  results: { index: number; relevance_score: number }[];
}

const EXAMPLES = ["Paris is the capital of France.", "Berlin has 3.8 million inhabitants.", "Cats sleep a lot."];

/** Documents in the order in which they answer a query. */
export function RerankPanel({ model }: { model: string }) {
  const [query, setQuery] = useState("What is the capital of France?");
  const [texts, setTexts] = useState(EXAMPLES);
  const { start, stop, ...run } = useRun<Score[]>();
  const documents = written(texts);
  const request: PlayRequest | null =
    query.trim() && documents.length > 0 ? { path: "/v1/rerank", json: { model, query, documents } } : null;
  const rank = () =>
    request &&
    start(async (signal) => {
      const { results } = await call<Ranking>(request, signal);
      return results.map(({ index, relevance_score: score }) => ({ name: documents[index] ?? `#${index}`, score }));
    });
  return (
    <Panel
      {...run}
      model={model}
      request={request}
      onRun={() => void rank()}
      onStop={stop}
      action="Rank"
      answer={run.result && <Scores label="Documents, the best first" scores={run.result} />}
    >
      <Field label="Query" value={query} onChange={(event) => setQuery(event.target.value)} />
      <TextList name="Document" texts={texts} onChange={setTexts} least={1} />
    </Panel>
  );
}
