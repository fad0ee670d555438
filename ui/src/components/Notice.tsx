import type { ReactNode } from "react";

const TONES = { bad: "border-bad/40 text-bad", busy: "border-busy/40 text-busy", plain: "border-line text-muted" };

interface Props {
  tone?: keyof typeof TONES;
  children: ReactNode;
}

/** Something that went wrong or is missing; said at once by screen readers if it is bad. */
export function Notice({ tone = "bad", children }: Props) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      className={`flex flex-wrap items-center justify-between gap-2 rounded-md border bg-surface px-3 py-2 ${TONES[tone]}`}
    >
      {children}
    </div>
  );
}
