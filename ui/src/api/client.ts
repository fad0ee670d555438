// The one place that talks to the gateway: adds the key, turns refusals into errors.
import { ApiError } from "./error";
import { keyStore } from "./key";

type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

export interface Options {
  method?: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
  query?: Query;
  /** Sent as JSON, unless it is a form. */
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** The path with its query; what is null or undefined is left out. */
export function withQuery(path: string, query: Query = {}): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) parts.append(name, String(one));
  }
  const text = parts.toString();
  return text ? `${path}?${text}` : path;
}

/** The header that says who asks; none where no key is needed. */
export function authorization(): Record<string, string> {
  const key = keyStore.get();
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** `fetch` with the key; a 401 signs the page out. Raises nothing for a refusal. */
export async function fetchWithKey(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(authorization())) headers.set(name, value);
  const response = await fetch(url, { ...init, headers, credentials: "omit", cache: "no-store" });
  if (response.status === 401) keyStore.refused();
  return response;
}

/** The response of a request that succeeded; throws `ApiError` for a refusal. */
export async function send(path: string, options: Options = {}): Promise<Response> {
  const { method = "GET", query, body, signal, headers = {} } = options;
  const init: RequestInit = { method, headers };
  if (signal) init.signal = signal;
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json", ...headers };
  }
  const response = await fetchWithKey(withQuery(path, query), init);
  if (!response.ok) throw await ApiError.of(response);
  return response;
}

/** The JSON of an answer. */
export async function json<T>(path: string, options: Options = {}): Promise<T> {
  const response = await send(path, options);
  return (await response.json()) as T;
}
