// Conversations, kept while their model is not looked at; in memory only, and gone with the session.
import { useEffect, useState } from "react";

import { useSession } from "../api/session";
import type { Turn } from "./conversation";

const kept = new Map<string, Turn[]>();

useSession.subscribe(({ status }) => {
  if (status !== "signed-in") kept.clear();
});

/** The turns of the conversation with a model. */
export function useKeptTurns(model: string) {
  const [turns, setTurns] = useState<Turn[]>(() => kept.get(model) ?? []);
  useEffect(() => void kept.set(model, turns), [model, turns]);
  return [turns, setTurns] as const;
}
