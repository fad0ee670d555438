import type { ReactNode } from "react";

/** A table that may be wider than its card: scrolled also by keyboard. */
export function Wide({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div role="region" aria-label={label} tabIndex={0} className="relative -m-4 overflow-x-auto focus-visible:-outline-offset-2">
      {children}
    </div>
  );
}
