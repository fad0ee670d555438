import type { LiveModel } from "../../api/types";
import { Card } from "../../components/Card";
import { Facts } from "../../components/Facts";
import { ModelLink } from "../../components/ModelLink";
import { bytes } from "../../lib/format";
import { useDevices } from "../../live/store";

interface Props {
  model: LiveModel;
  about: Record<string, unknown> | null;
}

const number = (value: unknown) => (typeof value === "number" ? value : 0);

/** What the files say it needs, what was reserved for it, and what it was measured to hold. */
export function Memory({ model, about }: Props) {
  const devices = useDevices().filter((device) => model.device_ids.includes(device.device_id));
  const rows = [
    ["weights, by its files", number(about?.weight_bytes)],
    ["reserved on each device", model.reserved_bytes],
    ["measured on each device", model.resident_bytes],
  ] as const;
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return (
    <Card title="Memory" className="max-w-4xl">
      <dl className="space-y-2">
        {rows.map(([name, value]) => (
          <div key={name}>
            <div className="flex justify-between gap-3">
              <dt className="text-muted">{name}</dt>
              <dd className="numbers">{value ? bytes(value) : "–"}</dd>
            </div>
            <div aria-hidden="true" className="h-1.5 overflow-hidden rounded-full bg-raised">
              <div className="h-full rounded-full bg-accent" style={{ width: `${(value / most) * 100}%` }} />
            </div>
          </div>
        ))}
      </dl>
      <Facts
        facts={[
          ["Key-value cache per token", bytes(number(about?.kv_bytes_per_token))],
          ["Files on disk", bytes(model.size_bytes)],
        ]}
      />
      {devices.map((device) => (
        <div key={device.device_id} className="mt-3 border-t border-line pt-3">
          <h3 className="font-medium">
            {device.name} <span className="font-normal text-muted">{device.device_id}</span>
          </h3>
          <ul className="mt-1 space-y-0.5">
            {device.engines.map((engine) => (
              <li key={engine.instance_id} className="flex justify-between gap-3">
                {engine.model ? <ModelLink model={engine.model} className="truncate" /> : "other models"}
                <span className="numbers text-muted">{bytes(engine.reserved_bytes)}</span>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </Card>
  );
}
