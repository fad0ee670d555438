// What a first request to each route looks like. Pure.
import type { PlayableModel } from "./model";

const PREDICT = "/predict/{model}";
/** Routes whose requests are forms. */
const FORMS = "/v1/audio/trans";

/** The routes of a model that take JSON; `/predict` takes something of every model. */
export function rawRoutes(model: PlayableModel): string[] {
  const own = model.capabilities.filter((route) => !route.startsWith(FORMS) && !route.includes("{version}"));
  return [...own.filter((route) => route !== PREDICT), PREDICT];
}

const MEMBERS: Record<string, Record<string, unknown>> = {
  "/v1/chat/completions": { messages: [{ role: "user", content: "Hi" }], max_tokens: 32 },
  "/v1/completions": { prompt: "Once upon a time", max_tokens: 32 },
  "/v1/responses": { input: "Hi", max_output_tokens: 32 },
  "/v1/messages": { messages: [{ role: "user", content: "Hi" }], max_tokens: 32 },
  "/v1/messages/count_tokens": { messages: [{ role: "user", content: "Hi" }] },
  "/v2/embed": { texts: ["a text"], input_type: "search_query" },
  "/score": { text_1: "a query", text_2: ["a document"] },
  "/v1/score": { text_1: "a query", text_2: ["a document"] },
  "/rerank": { query: "a query", documents: ["a document"] },
  "/v1/rerank": { query: "a query", documents: ["a document"] },
  "/v2/rerank": { query: "a query", documents: ["a document"] },
  "/tokenize": { prompt: "a text" },
  "/detokenize": { tokens: [1, 2, 3] },
  "/v2/models/{model}/infer": { inputs: [] },
  [PREDICT]: { input: "a text" },
};

/** Members that the route takes, as an example. */
export function exampleBody(route: string, model: string): Record<string, unknown> {
  const members = MEMBERS[route] ?? { input: ["a text"] };
  return route.includes("{model}") ? members : { model, ...members };
}
