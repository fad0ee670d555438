// The last ten minutes of some figures, one point a second, in rings of fixed size.
import type { Connection } from "../api/sse";
import type { LiveData } from "./merge";
import { running } from "./running";

export const POINTS = 600;
/** Beyond this many models none gets a ring of its own. */
const MOST_MODELS = 500;

type Point = number | null;

class Ring {
  private readonly values = new Float64Array(POINTS).fill(NaN);

  put(at: number, value: Point): void {
    this.values[at % POINTS] = value ?? NaN;
  }

  /** The newest `count` of them, oldest first. */
  until(end: number, count: number): Point[] {
    return Array.from({ length: count }, (_, i) => {
      const value = this.values[(end - count + i) % POINTS]!;
      return Number.isNaN(value) ? null : value;
    });
  }
}

class History {
  private readonly times = new Ring();
  private readonly rings = new Map<string, Ring>();
  private readonly listeners = new Set<() => void>();
  private count = 0;

  /** Take one point of everything; a broken stream leaves a gap. */
  sample(state: LiveData & { connection: Connection }): void {
    const live = state.connection === "live" && state.gateway !== null;
    this.times.put(this.count, Date.now() / 1000);
    const gateway = live ? state.gateway : null;
    this.put("rate", gateway?.requests_per_second);
    this.put("waiting", gateway?.waiting);
    this.put("running", gateway ? running(gateway) : null);
    for (const device of state.devices.values()) {
      this.put(`use ${device.device_id}`, live ? device.utilization : null);
    }
    if (state.models.size <= MOST_MODELS) {
      for (const model of state.models.values()) {
        this.put(`rate ${model.model}`, live ? model.requests_per_second : null);
        this.put(`p50 ${model.model}`, live ? model.p50_ms : null);
        this.put(`p99 ${model.model}`, live ? model.p99_ms : null);
      }
    }
    this.forget(state);
    this.count += 1;
    for (const listener of this.listeners) listener();
  }

  /** Times, then one row of values for each name; what uPlot draws. */
  columns(names: readonly string[]): [number[], ...Point[][]] {
    const length = Math.min(this.count, POINTS);
    const times = this.times.until(this.count, length) as number[];
    const none = new Array<Point>(length).fill(null);
    return [times, ...names.map((name) => this.rings.get(name)?.until(this.count, length) ?? none)];
  }

  /** Be told of each new point; returns what ends that. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  clear(): void {
    this.rings.clear();
    this.count = 0;
  }

  private put(name: string, value: Point | undefined): void {
    let ring = this.rings.get(name);
    if (!ring) this.rings.set(name, (ring = new Ring()));
    ring.put(this.count, value ?? null);
  }

  /** Once a minute, what is of models and devices that are gone. */
  private forget(state: LiveData): void {
    if (this.count % 60 !== 0) return;
    for (const name of this.rings.keys()) {
      const [kind = "", ...rest] = name.split(" ");
      const owner = rest.join(" ");
      if (owner && !(kind === "use" ? state.devices : state.models).has(owner)) {
        this.rings.delete(name);
      }
    }
  }
}

export const history = new History();
