import { Card } from "../../components/Card";
import { Empty } from "../../components/Empty";
import { useDevices } from "../../live/store";
import { DeviceBar } from "./DeviceBar";

const LEGEND = [
  ["bg-good-fill", "loaded"],
  ["bg-busy-fill", "on its way"],
  ["bg-rest-fill", "sleeping"],
  ["bg-raised border border-line", "free"],
] as const;

/** All devices, to one scale. */
export function Devices() {
  const devices = useDevices();
  const widest = Math.max(0, ...devices.map((device) => device.total_bytes));
  return (
    <Card
      title="Devices"
      aside={
        <span className="hidden flex-wrap gap-x-3 sm:flex">
          {LEGEND.map(([look, text]) => (
            <span key={text} className="inline-flex items-center gap-1.5">
              <span aria-hidden="true" className={`size-2.5 rounded-sm ${look}`} /> {text}
            </span>
          ))}
          <span>strong: resident · pale: reserved · line: measured</span>
        </span>
      }
    >
      {devices.length === 0 ? (
        <Empty>No agent has reported a device yet.</Empty>
      ) : (
        <ul className="divide-y divide-line">
          {devices.map((device) => (
            <DeviceBar key={device.device_id} device={device} widest={widest} />
          ))}
        </ul>
      )}
    </Card>
  );
}
