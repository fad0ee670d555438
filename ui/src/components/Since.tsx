import { seconds } from "../lib/format";
import { useClock } from "../lib/now";

/** How long something has gone on; drawn again only when that reads differently. */
export function Since({ start }: { start: number | null }) {
  const text = useClock(({ now }) => (start === null ? "–" : seconds(Math.max(0, Math.floor((now - start) / 1000)))));
  return <>{text}</>;
}
