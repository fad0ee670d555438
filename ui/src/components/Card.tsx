import { useId, type ReactNode } from "react";

interface Props {
  title?: string;
  /** Beside the title, at the right. */
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}

/** A titled region of a page. */
export function Card({ title, aside, children, className = "" }: Props) {
  const id = useId();
  return (
    <section
      aria-labelledby={title ? id : undefined}
      className={`min-w-0 rounded-lg border border-line bg-surface ${className}`}
    >
      {title && (
        <header className="flex min-h-10 items-center justify-between gap-3 border-b border-line px-4 py-1.5">
          <h2 id={id} className="font-semibold">
            {title}
          </h2>
          <div className="flex items-center gap-2 text-muted">{aside}</div>
        </header>
      )}
      <div className="p-4">{children}</div>
    </section>
  );
}
