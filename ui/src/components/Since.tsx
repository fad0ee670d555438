import { seconds } from "../lib/format";
import { useClock } from "../lib/now";

/** Less is no pause worth a figure that flickers. */
const LEAST_S = 5;

/** How long something has gone on; drawn again only when that reads differently. */
export function Since({ start }: { start: number | null }) {
  const text = useClock(({ now }) => {
    if (start === null) return "–";
    const whole = Math.floor((now - start) / 1000);
    return whole < LEAST_S ? "now" : seconds(whole);
  });
  return <>{text}</>;
}
