// The state that the page shows, and how a message changes it. Pure: rows that did not change stay
// the same objects, so that what shows them need not be drawn again.
import type { Advisor, Change, KnownModel, LiveDevice, LiveGateway, LiveModel, Snapshot } from "../api/types";

export interface LiveData {
  time: string | null;
  gateway: LiveGateway | null;
  models: ReadonlyMap<string, KnownModel>;
  devices: ReadonlyMap<string, LiveDevice>;
  advisor: Advisor | null;
}

export const NOTHING: LiveData = {
  time: null,
  gateway: null,
  models: new Map(),
  devices: new Map(),
  advisor: null,
};

/** All of it anew. */
export function fromSnapshot(snapshot: Snapshot): LiveData {
  return {
    time: snapshot.time,
    gateway: snapshot.gateway,
    models: new Map(known(snapshot).map((model) => [model.model, model])),
    devices: new Map(snapshot.devices.map((device) => [device.device_id, device])),
    advisor: snapshot.advisor,
  };
}

/** What changed put over what was known. */
export function changed(data: LiveData, change: Change): LiveData {
  return {
    time: change.time,
    gateway: change.gateway ?? data.gateway,
    models: merged(data.models, known(change), (model) => model.model, change.gone_models),
    devices: merged(data.devices, change.devices, (device) => device.device_id, change.gone_devices),
    advisor: change.advisor === undefined ? data.advisor : change.advisor,
  };
}

/** Idle time is told rarely, because it goes on by itself: what stays is when it began. */
function known({ time, models }: Pick<Snapshot, "time" | "models">): KnownModel[] {
  const since = (model: LiveModel) => (model.idle_s === null ? null : Date.parse(time) - model.idle_s * 1000);
  return models.map((model) => ({ ...model, idle_since: since(model) }));
}

function merged<Row>(
  rows: ReadonlyMap<string, Row>,
  news: readonly Row[] = [],
  nameOf: (row: Row) => string,
  gone: readonly string[] = [],
): ReadonlyMap<string, Row> {
  if (news.length === 0 && gone.length === 0) return rows;
  const next = new Map(rows);
  for (const row of news) next.set(nameOf(row), row);
  for (const name of gone) next.delete(name);
  return next;
}
