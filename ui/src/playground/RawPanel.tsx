import { useState } from "react";

import { Select } from "../components/Field";
import { call } from "./call";
import { JsonEditor } from "./JsonEditor";
import { parseObject, pretty } from "./jsonText";
import type { PlayableModel } from "./model";
import { Panel } from "./Panel";
import { exampleBody, rawRoutes } from "./rawExamples";
import type { PlayRequest } from "./request";
import { useRun } from "./useRun";

/** Any JSON to any route that the model answers. */
export function RawPanel({ model }: { model: PlayableModel }) {
  const routes = rawRoutes(model);
  const [route, setRoute] = useState(routes[0]!);
  const [text, setText] = useState(() => pretty(exampleBody(route, model.model)));
  const { start, stop, ...run } = useRun<unknown>();
  const { value } = parseObject(text);
  const path = route.replace("{model}", encodeURIComponent(model.model));
  const request: PlayRequest | null = value ? { path, json: value } : null;
  return (
    <Panel
      {...run}
      model={model.model}
      request={request}
      onRun={() => request && void start((signal) => call(request, signal))}
      onStop={stop}
      action="Send"
      answer={run.result !== null && <Answer value={run.result} />}
    >
      <Select
        label="Route"
        value={route}
        onChange={(event) => {
          setRoute(event.target.value);
          setText(pretty(exampleBody(event.target.value, model.model)));
        }}
      >
        {routes.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <JsonEditor label="Body" text={text} onChange={setText} />
    </Panel>
  );
}

const MOST_SHOWN = 20_000;

function Answer({ value }: { value: unknown }) {
  const text = pretty(value);
  const rest = text.length - MOST_SHOWN;
  return (
    <pre tabIndex={0} aria-label="Answer" className="max-h-96 overflow-auto rounded-md border border-line p-3 font-mono text-xs leading-5">
      {text.slice(0, MOST_SHOWN)}
      {rest > 0 && `\n… and ${rest.toLocaleString("en")} more characters`}
    </pre>
  );
}
