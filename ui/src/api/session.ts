// Who is signed in, and what they may do; what they may not is not offered.
import { create } from "zustand";

import { json } from "./client";
import { ApiError, sentence } from "./error";
import { keyStore } from "./key";
import type { Scope, Session } from "./types";

interface SessionState {
  status: "asking" | "signed-out" | "signed-in" | "unreachable";
  session: Session | null;
  /** Why there is no session, for people. */
  problem: string;
}

export const useSession = create<SessionState>(() => ({ status: "asking", session: null, problem: "" }));

/** Ask the gateway who the key of this tab is, or whether none is needed. */
export async function openSession(): Promise<void> {
  try {
    const session = await json<Session>("/session");
    useSession.setState({ status: "signed-in", session, problem: "" });
  } catch (error) {
    const hadKey = keyStore.get() !== null;
    const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
    if (refused) keyStore.forget();
    useSession.setState({
      status: refused ? "signed-out" : "unreachable",
      session: null,
      problem: refused && !hadKey ? "" : sentence(error),
    });
  }
}

/** Sign in with a key; the state says what came of it. */
export async function signIn(key: string): Promise<void> {
  keyStore.set(key.trim());
  await openSession();
}

/** Forget the key. */
export function signOut(problem = ""): void {
  keyStore.forget();
  useSession.setState({ status: "signed-out", session: null, problem });
}

keyStore.whenRefused(() => {
  if (useSession.getState().status === "signed-in") {
    signOut("The gateway no longer accepts this key.");
  }
});

/** Whether the signed-in key has the scope. */
export function useMay(scope: Scope): boolean {
  return useSession((state) => state.session?.scopes.includes(scope) ?? false);
}
