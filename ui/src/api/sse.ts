// Server-sent events with the key of this tab: resumed by id, and given up for dead when silent.
import { createEventSource, type EventSourceMessage } from "eventsource-client";

import { fetchWithKey } from "./client";
import { ApiError } from "./error";

/** The gateway says something at least every 15 seconds. */
const SILENT_MS = 40_000;

export type Connection = "connecting" | "live" | "reconnecting";

export interface StreamHandlers {
  onMessage: (message: EventSourceMessage) => void;
  onConnection?: (connection: Connection) => void;
  /** A refusal that no further try will change; the stream is closed then. */
  onRefused?: (error: ApiError) => void;
}

export interface Stream {
  close: () => void;
}

/** Follow a stream of the gateway's until it is closed. */
export function openStream(path: string, handlers: StreamHandlers): Stream {
  let heardAt = performance.now();
  let lastEventId: string | undefined;
  let source = connect();
  const watch = setInterval(() => {
    if (performance.now() - heardAt < SILENT_MS) return;
    source.close();
    heardAt = performance.now();
    handlers.onConnection?.("reconnecting");
    source = connect();
  }, 5_000);

  function connect() {
    return createEventSource({
      url: new URL(path, window.location.origin),
      ...(lastEventId === undefined ? {} : { initialLastEventId: lastEventId }),
      fetch: async (url, init) => checked(await fetchWithKey(url, init as RequestInit)),
      onConnect: () => {
        heardAt = performance.now();
        handlers.onConnection?.("live");
      },
      onScheduleReconnect: () => handlers.onConnection?.("reconnecting"),
      onComment: () => (heardAt = performance.now()),
      onMessage: (message) => {
        heardAt = performance.now();
        lastEventId = message.id ?? lastEventId;
        handlers.onMessage(message);
      },
    });
  }

  async function checked(response: Response): Promise<Response> {
    if (response.ok) return response;
    const error = await ApiError.of(response);
    if (response.status < 500 && response.status !== 429) {
      close();
      handlers.onRefused?.(error);
    }
    throw error;
  }

  function close() {
    clearInterval(watch);
    source.close();
  }

  return { close };
}
