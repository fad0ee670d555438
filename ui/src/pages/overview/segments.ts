// How a device's memory is divided into the parts of its bar. Pure.
import type { LiveDevice, LiveEngine } from "../../api/types";

export interface Segment {
  key: string;
  engine: LiveEngine;
  /** Of the device's total, 0 to 1. */
  start: number;
  width: number;
  /** Of the segment: how much of what is reserved is really held. */
  filled: number;
}

export interface Bar {
  segments: Segment[];
  reservedBytes: number;
  residentBytes: number;
  freeBytes: number;
  /** Where the budget ends and where the measured use does; of the total, 0 to 1. */
  budget: number;
  used: number;
}

const ratio = (part: number, whole: number) => (whole > 0 ? Math.min(1, part / whole) : 0);

/** Engines one beside the other in the order of their names, each as wide as what it takes. */
export function barOf(device: LiveDevice): Bar {
  const engines = [...device.engines].sort((one, other) => one.instance_id.localeCompare(other.instance_id));
  let at = 0;
  const segments = engines.map((engine): Segment => {
    const held = Math.max(engine.reserved_bytes, engine.resident_bytes);
    const segment = {
      key: engine.instance_id || "others",
      engine,
      start: ratio(at, device.total_bytes),
      width: ratio(held, device.total_bytes),
      filled: ratio(engine.resident_bytes, held),
    };
    at += held;
    return segment;
  });
  return {
    segments,
    reservedBytes: at,
    residentBytes: engines.reduce((sum, engine) => sum + engine.resident_bytes, 0),
    freeBytes: Math.max(0, device.budget_bytes - at),
    budget: ratio(device.budget_bytes, device.total_bytes),
    used: ratio(device.used_bytes, device.total_bytes),
  };
}
