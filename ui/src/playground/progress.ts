// How far a model that loads is: as the comments of a stream that waits say it, or its live row. Pure.
import type { LiveModel } from "../api/types";

export interface Progress {
  state: string;
  position: number | null;
  etaS: number | null;
}

const PREFIX = "modelium ";

/** `modelium state=loading position=2 eta_s=14`; null: a comment of somebody else's. */
export function progressIn(comment: string): Progress | null {
  const text = comment.trim();
  if (!text.startsWith(PREFIX)) return null;
  const said = new Map(
    text
      .slice(PREFIX.length)
      .split(/\s+/)
      .map((pair) => pair.split("=", 2) as [string, string | undefined]),
  );
  return {
    state: said.get("state") ?? "waiting",
    position: numberOr(said.get("position")),
    etaS: numberOr(said.get("eta_s")),
  };
}

/** Null: it is loaded, or not known. */
export function progressOf(model: Pick<LiveModel, "state" | "eta_s"> | undefined): Progress | null {
  if (!model || model.state === "loaded") return null;
  return { state: model.state, position: null, etaS: model.eta_s };
}

function numberOr(text: string | undefined): number | null {
  const value = Number(text);
  return text && Number.isFinite(value) ? value : null;
}
