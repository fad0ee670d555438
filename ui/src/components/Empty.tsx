import type { ReactNode } from "react";

/** What stands where there is nothing yet, with a word on how something comes to be. */
export function Empty({ children }: { children: ReactNode }) {
  return <p className="py-6 text-center text-muted">{children}</p>;
}
