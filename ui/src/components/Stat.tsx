import type { ReactNode } from "react";

interface Props {
  label: string;
  value: ReactNode;
  about?: ReactNode;
}

/** One figure with its name; a list of them goes into a `<dl>` made by `Stats`. */
export function Stat({ label, value, about }: Props) {
  return (
    <div className="-mt-px -ml-px min-w-0 border-t border-l border-line px-4 py-3">
      <dt className="truncate text-muted">{label}</dt>
      <dd className="numbers truncate text-xl leading-7 font-semibold tracking-tight">{value}</dd>
      {about && <dd className="truncate text-muted">{about}</dd>}
    </div>
  );
}

/** Figures side by side. */
export function Stats({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(10.5rem,1fr))] overflow-hidden rounded-lg border border-line bg-surface">
      {children}
    </dl>
  );
}
