import { useEffect, type ReactNode } from "react";

interface Props {
  title: string;
  about?: ReactNode;
  children?: ReactNode;
}

/** The page's one heading, which is also the document's title; actions go in as children. */
export function PageTitle({ title, about, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Modelium`;
  }, [title]);
  return (
    <div className="mb-4 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <div className="min-w-0">
        <h1 className="truncate text-lg font-semibold tracking-tight">{title}</h1>
        {about && <p className="text-muted">{about}</p>}
      </div>
      {children && <div className="flex flex-wrap items-center gap-2">{children}</div>}
    </div>
  );
}
