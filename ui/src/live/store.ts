// The one stream that the pages draw from.
import { create } from "zustand";

import { openStream, type Connection, type Stream } from "../api/sse";
import type { Change, KnownModel, LiveDevice, Snapshot } from "../api/types";
import { setGatewayTime } from "../lib/now";
import { history } from "./history";
import { changed, fromSnapshot, NOTHING, type LiveData } from "./merge";

interface LiveState extends LiveData {
  connection: Connection;
  /** A refusal: what the key may not see. */
  refused: string;
}

export const useLive = create<LiveState>(() => ({ ...NOTHING, connection: "connecting", refused: "" }));

let stream: Stream | null = null;
let sampling: ReturnType<typeof setInterval> | undefined;

/** Begin to follow the gateway; again: nothing. */
export function startLive(): void {
  if (stream) return;
  useLive.setState({ ...NOTHING, connection: "connecting", refused: "" });
  stream = openStream("/live", {
    onMessage: ({ event, data }) => take(event ?? "", data),
    onConnection: (connection) => useLive.setState({ connection }),
    onRefused: (error) => useLive.setState({ refused: error.message }),
  });
  sampling = setInterval(() => history.sample(useLive.getState()), 1000);
}

/** Stop, and forget what was seen. */
export function stopLive(): void {
  stream?.close();
  stream = null;
  clearInterval(sampling);
  history.clear();
  useLive.setState({ ...NOTHING });
}

function take(event: string, data: string): void {
  if (event === "snapshot") {
    const snapshot = JSON.parse(data) as Snapshot;
    setGatewayTime(snapshot.time);
    useLive.setState(fromSnapshot(snapshot));
  }
  if (event === "change") useLive.setState((was) => changed(was, JSON.parse(data) as Change));
}

/** One model's row; undefined while it is not known. */
export function useModel(name: string): KnownModel | undefined {
  return useLive((state) => state.models.get(name));
}

/** The devices by agent and id. */
export function useDevices(): LiveDevice[] {
  const devices = useLive((state) => state.devices);
  return [...devices.values()].sort((one, other) =>
    `${one.agent_id} ${one.device_id}`.localeCompare(`${other.agent_id} ${other.device_id}`),
  );
}
