const TONES: Record<string, { dot: string; text: string }> = {
  loaded: { dot: "bg-good-fill", text: "text-good" },
  loading: { dot: "bg-busy-fill", text: "text-busy" },
  unloading: { dot: "bg-busy-fill", text: "text-busy" },
  discovered: { dot: "bg-busy-fill", text: "text-busy" },
  analyzing: { dot: "bg-busy-fill", text: "text-busy" },
  sleeping: { dot: "bg-rest-fill", text: "text-rest" },
  error: { dot: "bg-bad-fill", text: "text-bad" },
  rejected: { dot: "bg-bad-fill", text: "text-bad" },
};
const REST = { dot: "bg-idle-fill", text: "text-muted" };

/** A state by its word and its colour. */
export function StateBadge({ state }: { state: string }) {
  const tone = TONES[state] ?? REST;
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium ${tone.text}`}>
      <span aria-hidden="true" className={`size-2 shrink-0 rounded-full ${tone.dot}`} />
      {state}
    </span>
  );
}
