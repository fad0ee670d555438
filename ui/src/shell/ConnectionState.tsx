import { useLive } from "../live/store";

/** Whether what is shown is of now; changes are read out. */
export function ConnectionState() {
  const connection = useLive((state) => state.connection);
  const nats = useLive((state) => state.gateway?.nats_connected ?? true);
  const live = connection === "live";
  const text = !live ? `${connection} …` : nats ? "live" : "gateway has lost NATS";
  const tone = live && nats ? "bg-good-fill" : "bg-busy-fill";
  return (
    <span role="status" className="inline-flex items-center gap-1.5 text-muted">
      <span aria-hidden="true" className={`size-2 rounded-full ${tone}`} />
      {text}
    </span>
  );
}
