// Sends a request of the playground and reads its answer as JSON.
import { fetchWithKey } from "../api/client";
import { ApiError } from "../api/error";
import { asFetch, type PlayRequest } from "./request";

/** The answer; throws an ApiError for a refusal. */
export async function call<T>(request: PlayRequest, signal: AbortSignal): Promise<T> {
  const response = await fetchWithKey(request.path, { ...asFetch(request), signal });
  if (!response.ok) throw await ApiError.of(response);
  return (await response.json()) as T;
}
