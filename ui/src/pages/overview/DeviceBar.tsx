import { memo } from "react";
import { Link } from "wouter";

import type { LiveDevice } from "../../api/types";
import { bytes, percent } from "../../lib/format";
import { Silent } from "./Silent";
import { barOf, type Segment } from "./segments";

const FILLS: Record<string, string> = {
  loaded: "bg-good-fill",
  loading: "bg-busy-fill",
  unloading: "bg-busy-fill",
  sleeping: "bg-rest-fill",
};

/** One device: who holds what of it, to scale; below it what was measured. */
export const DeviceBar = memo(function DeviceBar({ device, widest }: { device: LiveDevice; widest: number }) {
  const bar = barOf(device);
  const scale = widest > 0 ? (device.total_bytes / widest) * 100 : 100;
  return (
    <li className="py-3 first:pt-0 last:pb-0">
      <div className="mb-1.5 flex flex-wrap items-baseline justify-between gap-x-4">
        <h3 className="font-medium">
          {device.name} <span className="font-normal text-muted">{device.device_id} · {device.agent_id}</span>{" "}
          <Silent since={device.reported_at} />
        </h3>
        <p className="numbers text-muted">
          {device.utilization !== null && <>{percent(device.utilization)} busy · </>}
          {bytes(bar.reservedBytes)} reserved · {bytes(device.used_bytes)} measured · {bytes(bar.freeBytes)} free of{" "}
          {bytes(device.budget_bytes)}
        </p>
      </div>
      <div data-device={device.device_id} style={{ width: `${scale}%` }} className="min-w-24">
        <ul aria-label={`Memory of ${device.name}`} className="relative h-8 overflow-hidden rounded-md bg-raised">
          {bar.segments.map((segment) => (
            <Part key={segment.key} segment={segment} />
          ))}
          {bar.budget < 1 && (
            <li
              aria-label={`Not for engines: ${bytes(device.total_bytes - device.budget_bytes)}`}
              title={`Kept free of engines: ${bytes(device.total_bytes - device.budget_bytes)}`}
              className="absolute inset-y-0 right-0 border-l border-dashed border-muted bg-[repeating-linear-gradient(135deg,var(--line)_0_2px,transparent_2px_6px)]"
              style={{ width: `${(1 - bar.budget) * 100}%` }}
            />
          )}
        </ul>
        <div
          title={`Measured on the device: ${bytes(device.used_bytes)}`}
          data-measured={device.used_bytes}
          className="mt-0.5 h-1 rounded-full bg-muted"
          style={{ width: `${bar.used * 100}%` }}
        />
      </div>
    </li>
  );
});

function Part({ segment }: { segment: Segment }) {
  const { engine, start, width, filled } = segment;
  const name = engine.model || "other models";
  const held = `${bytes(engine.reserved_bytes)} reserved, ${bytes(engine.resident_bytes)} resident`;
  const about = `${name}, ${engine.state}: ${held}`;
  const inside = (
    <>
      <span data-resident={engine.resident_bytes} aria-hidden="true" className={`absolute inset-y-0 left-0 opacity-70 ${FILLS[engine.state] ?? "bg-idle-fill"}`} style={{ width: `${filled * 100}%` }} />
      <span aria-hidden="true" className={`absolute inset-0 opacity-30 ${FILLS[engine.state] ?? "bg-idle-fill"}`} />
      <span aria-hidden="true" className="relative hidden truncate px-2 leading-8 font-medium @min-[3.5rem]:block">{name}</span>
    </>
  );
  const look = "relative flex h-full w-full min-w-0 overflow-hidden";
  return (
    <li
      data-engine={engine.instance_id}
      title={about}
      className="@container absolute inset-y-0 border-r border-surface"
      style={{ left: `${start * 100}%`, width: `${width * 100}%` }}
    >
      {engine.model ? (
        <Link href={`/models/${encodeURIComponent(engine.model)}`} aria-label={about} className={look}>
          {inside}
        </Link>
      ) : (
        <span role="img" aria-label={about} className={look}>{inside}</span>
      )}
    </li>
  );
}
