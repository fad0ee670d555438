import { seconds } from "../../lib/format";
import { useClock } from "../../lib/now";

/** Agents report every second; this much later they are not merely late. */
const SILENT_S = 25;

/** Said of a device from which nothing is heard any more. */
export function Silent({ since }: { since: string }) {
  const text = useClock(({ now }) => {
    const silent = (now - Date.parse(since)) / 1000;
    return silent > SILENT_S ? `not heard of for ${seconds(silent)}` : "";
  });
  return text && <span className="font-medium text-bad">{text}</span>;
}
