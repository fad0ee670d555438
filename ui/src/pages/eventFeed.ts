// The events that the page Events shows: the newest as they come, older ones when asked for. Bounded.
import { create } from "zustand";

import { withQuery } from "../api/client";
import { sentence } from "../api/error";
import { recentEvents } from "../api/models";
import { type Connection, openStream, type Stream } from "../api/sse";
import type { BusEvent } from "../api/types";

export interface Filter {
  /** Subjects, with the wildcards of NATS; none: all. */
  subject: string[];
  model: string;
  /** Also decisions to change nothing. */
  all: boolean;
}

interface Feed {
  events: BusEvent[];
  /** What came while it was paused, newest first. */
  held: BusEvent[];
  paused: boolean;
  /** Older ones were asked for until the newest had to go: the list no longer reaches the present. */
  cut: boolean;
  nextBefore: number | null;
  connection: Connection;
  problem: string;
}

const AT_FIRST = 100;
const OLDER = 200;
/** Of those that come by themselves. */
export const MOST_LIVE = 500;
/** Of all, however far somebody goes back. */
export const MOST = 2_000;
/** Many that come at once are drawn at once. */
const DRAW_EVERY_MS = 250;

const EMPTY: Feed = {
  events: [],
  held: [],
  paused: false,
  cut: false,
  nextBefore: null,
  connection: "connecting",
  problem: "",
};

export const useFeed = create<Feed>(() => EMPTY);
const { getState, setState } = useFeed;

let current: { filter: Filter; stop: AbortController; loadingOlder: boolean } | null = null;

/** Follow what the filter lets through, and nothing else. */
export function follow(filter: Filter): void {
  unfollow();
  const stop = new AbortController();
  current = { filter, stop, loadingOlder: false };
  setState(EMPTY);
  void begin(filter, stop.signal);
}

/** Stop; what is shown stays. */
export function unfollow(): void {
  current?.stop.abort();
  current = null;
}

async function begin(filter: Filter, signal: AbortSignal): Promise<void> {
  let after: number | undefined;
  try {
    const page = await recentEvents({ ...filter, limit: AT_FIRST }, signal);
    if (signal.aborted) return;
    after = page.events[0]?.seq;
    setState({ events: page.events, nextBefore: page.next_before, problem: "" });
  } catch (error) {
    if (signal.aborted) return;
    setState({ problem: sentence(error) });
  }
  listen(withQuery("/events", { ...filter, after }), signal);
}

function listen(path: string, signal: AbortSignal): void {
  let come: BusEvent[] = [];
  const stream: Stream = openStream(path, {
    onMessage: ({ data }) => come.push(JSON.parse(data) as BusEvent),
    onConnection: (connection) => signal.aborted || setState({ connection }),
    onRefused: (error) => signal.aborted || setState({ problem: error.message }),
  });
  const drawing = setInterval(() => {
    if (come.length === 0) return;
    take(come.reverse());
    come = [];
  }, DRAW_EVERY_MS);
  signal.addEventListener("abort", () => {
    clearInterval(drawing);
    stream.close();
  });
}

/** `news`: newest first. */
function take(news: BusEvent[]): void {
  setState(({ events, held, paused }) => {
    if (paused) return { held: joined(news, held).slice(0, MOST_LIVE) };
    const all = joined(news, events);
    const kept = all.slice(0, Math.max(MOST_LIVE, Math.min(events.length, MOST)));
    return kept.length < all.length ? { events: kept, nextBefore: kept.at(-1)!.seq } : { events: kept };
  });
}

/** A stream that resumes may say again what is known. */
function joined(news: BusEvent[], known: BusEvent[]): BusEvent[] {
  const newest = known[0]?.seq ?? -1;
  return [...news.filter(({ seq }) => seq > newest), ...known];
}

export function pause(): void {
  setState({ paused: true });
}

/** Go on, with what came meanwhile; from the present where that cannot be joined. */
export function resume(): void {
  const { held, cut } = getState();
  if (current && (cut || held.length >= MOST_LIVE)) {
    follow(current.filter);
    return;
  }
  setState({ paused: false, held: [] });
  take(held);
}

/** Older ones, below; what is shown stands still meanwhile. Asked for twice at once: once. */
export async function loadOlder(): Promise<void> {
  const asked = current;
  const { nextBefore } = getState();
  if (!asked || nextBefore === null || asked.loadingOlder) return;
  pause();
  asked.loadingOlder = true;
  try {
    const page = await recentEvents({ ...asked.filter, before: nextBefore, limit: OLDER }, asked.stop.signal);
    if (asked.stop.signal.aborted) return;
    setState(({ events, cut }) => {
      const all = [...events, ...page.events];
      return { events: all.slice(-MOST), cut: cut || all.length > MOST, nextBefore: page.next_before, problem: "" };
    });
  } catch (error) {
    if (!asked.stop.signal.aborted) setState({ problem: sentence(error) });
  } finally {
    asked.loadingOlder = false;
  }
}
