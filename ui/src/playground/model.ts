// What the playground knows of the model, and which of its panels fit it.

/** The members of `GET /models/{model}` that the playground goes by. */
export interface PlayableModel {
  model: string;
  state: string;
  task: string | null;
  runtime: string | null;
  capabilities: string[];
  about: { has_chat_template?: boolean } | null;
}

export type Mode =
  | "chat"
  | "completion"
  | "embeddings"
  | "rerank"
  | "classify"
  | "image"
  | "tensors"
  | "transcription"
  | "raw";

export const MODE_LABELS: Record<Mode, string> = {
  chat: "Chat",
  completion: "Completion",
  embeddings: "Similarity",
  rerank: "Rerank",
  classify: "Classify",
  image: "Image",
  tensors: "Tensors",
  transcription: "Transcription",
  raw: "Raw JSON",
};

const ROUTES: [Mode, string][] = [
  ["chat", "/v1/chat/completions"],
  ["completion", "/v1/completions"],
  ["rerank", "/v1/rerank"],
  ["classify", "/classify"],
  ["embeddings", "/v1/embeddings"],
  ["transcription", "/v1/audio/transcriptions"],
  ["tensors", "/v2/models/{model}/infer"],
];

/** The panels of a model, the most fitting first; `raw` is always the last. */
export function modesOf(model: PlayableModel): Mode[] {
  const answers = new Set(model.capabilities);
  const modes = ROUTES.filter(([, route]) => answers.has(route)).map(([mode]) => mode);
  if (model.task === "vision") modes.unshift("image");
  if (model.task === "completion" && !model.about?.has_chat_template) {
    // Without a template its engine refuses a chat.
    return [...modes.filter((mode) => mode !== "chat"), "raw"];
  }
  if (model.task === "embedding") return [...first(modes, "embeddings"), "raw"];
  if (model.task === "rerank") return [...first(modes, "rerank"), "raw"];
  return [...modes, "raw"];
}

function first(modes: Mode[], leader: Mode): Mode[] {
  return [leader, ...modes.filter((mode) => mode !== leader)].filter((m) => modes.includes(m));
}
