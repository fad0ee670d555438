import { latency, rate } from "../lib/format";
import type { Figures } from "./conversation";

const ENDINGS: Record<string, string> = { length: "cut at the most tokens", stopped: "stopped by you" };

/** How fast an answer came; said once it is whole. */
export function FiguresLine({ figures }: { figures: Figures }) {
  const { tokens, firstMs, tokensPerS, finish } = figures;
  const ending = finish === null ? undefined : ENDINGS[finish];
  return (
    <p role="status" className="numbers mt-1 flex flex-wrap gap-x-3 text-xs text-muted">
      <span>{tokens} tokens</span>
      {tokensPerS !== null && <span>{rate(tokensPerS)} tokens/s</span>}
      {firstMs !== null && <span>first after {latency(firstMs)}</span>}
      {ending && <span>{ending}</span>}
    </p>
  );
}
