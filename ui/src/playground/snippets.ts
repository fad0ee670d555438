// A request of the playground as text for a shell or for Python. Pure; a key is never in it.
import { pretty } from "./jsonText";
import type { PlayRequest } from "./request";

/** Where it goes, and whether a key has to go along. */
export interface Target {
  origin: string;
  needsKey: boolean;
}

const KEY = "MODELIUM_API_KEY";

/** For a shell; the key comes from the environment. */
export function asCurl(request: PlayRequest, target: Target): string {
  const stream = request.json?.stream === true ? "-N " : "";
  const lines = [`curl ${stream}${quoted(target.origin + request.path)}`];
  if (target.needsKey) lines.push(`-H "Authorization: Bearer $${KEY}"`);
  lines.push(...curlBody(request));
  return lines.join(" \\\n  ");
}

function curlBody({ json, form, file }: PlayRequest): string[] {
  if (form) {
    const fields = Object.entries(form.fields).map(([name, value]) => `-F ${quoted(`${name}=${value}`)}`);
    return [...fields, `-F ${quoted(`file=@${form.file.name}`)}`];
  }
  if (file) {
    const type = file.type || "application/octet-stream";
    return [`-H ${quoted(`Content-Type: ${type}`)}`, `--data-binary ${quoted(`@${file.name}`)}`];
  }
  return [`-H 'Content-Type: application/json'`, `-d ${quoted(pretty(json ?? {}))}`];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

const OF_OPENAI: Record<string, string> = {
  "/v1/chat/completions": "chat.completions",
  "/v1/completions": "completions",
  "/v1/embeddings": "embeddings",
};

/** For Python: with the `openai` package where it has the route, else with `requests`. */
export function asPython(request: PlayRequest, target: Target): string {
  const call = OF_OPENAI[request.path];
  if (call && request.json) return withOpenAi(call, request.json, target);
  return withRequests(request, target);
}

function withOpenAi(call: string, json: Record<string, unknown>, target: Target): string {
  // Some key has to be given: the client raises for an empty one.
  const key = target.needsKey ? `os.environ["${KEY}"]` : `"none"`;
  const given = Object.entries(json).map(([name, value]) => `    ${name}=${literal(value, 1)},`);
  const lines = [
    ...(target.needsKey ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${literal(`${target.origin}/v1`)}, api_key=${key})`,
    `answer = client.${call}.create(`,
    ...given,
    ")",
  ];
  return [...lines, ...printed(call, json.stream === true)].join("\n") + "\n";
}

function printed(call: string, streams: boolean): string[] {
  if (!streams) return ["print(answer)"];
  const piece = call === "completions" ? "choice.text" : "choice.delta.content";
  return [
    "for chunk in answer:",
    "    for choice in chunk.choices:",
    `        print(${piece} or "", end="", flush=True)`,
  ];
}

function withRequests(request: PlayRequest, target: Target): string {
  const { json, form, file } = request;
  const headers = [
    ...(target.needsKey ? [`"Authorization": "Bearer " + os.environ["${KEY}"]`] : []),
    ...(file ? [`"Content-Type": ${literal(file.type || "application/octet-stream")}`] : []),
  ];
  const body = form
    ? [`    data=${literal(form.fields, 1)},`, `    files={"file": open(${literal(form.file.name)}, "rb")},`]
    : file
      ? [`    data=open(${literal(file.name)}, "rb"),`]
      : [`    json=${literal(json ?? {}, 1)},`];
  return [
    ...(target.needsKey ? ["import os", ""] : []),
    "import requests",
    "",
    "answer = requests.post(",
    `    ${literal(target.origin + request.path)},`,
    ...(headers.length ? [`    headers={${headers.join(", ")}},`] : []),
    ...body,
    ")",
    "answer.raise_for_status()",
    "print(answer.json())",
    "",
  ].join("\n");
}

/** A JSON value as Python writes it; `depth` is how far it is indented. */
export function literal(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const isArray = Array.isArray(value);
  const parts = isArray
    ? value.map((item) => literal(item, depth + 1))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, depth + 1)}`);
  const [open, close] = isArray ? ["[", "]"] : ["{", "}"];
  const flat = open + parts.join(", ") + close;
  if (flat.length <= 72 && !flat.includes("\n")) return flat;
  const indent = "    ".repeat(depth + 1);
  return `${open}\n${parts.map((part) => `${indent}${part},\n`).join("")}${"    ".repeat(depth)}${close}`;
}
