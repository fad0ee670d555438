import { ChevronRight } from "lucide-react";
import { memo, useState } from "react";

import type { BusEvent } from "../api/types";
import { describe } from "../lib/describe";
import { clockTime } from "../lib/format";

/** One event: what it says in a line, and its payload on demand. */
export const EventRow = memo(function EventRow({ event }: { event: BusEvent }) {
  const [open, setOpen] = useState(false);
  const { seq, time, subject, source, model, payload } = event;
  return (
    <li className="border-t border-line [contain-intrinsic-size:auto_2.25rem] [content-visibility:auto] first:border-t-0">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="grid w-full grid-cols-[1rem_auto_minmax(0,1fr)] items-baseline gap-x-3 px-4 py-2 text-left hover:bg-raised
          focus-visible:-outline-offset-2 md:grid-cols-[1rem_9rem_16rem_minmax(0,1fr)_auto]"
      >
        <ChevronRight size={14} aria-hidden="true" className={`self-center text-muted ${open ? "rotate-90" : ""}`} />
        <time dateTime={time} className="numbers whitespace-nowrap text-muted">
          {clockTime(time)}
        </time>
        <span className="truncate font-medium">{subject}</span>
        <span className="col-span-2 col-start-2 truncate md:col-span-1 md:col-start-auto">
          {model} <span className="text-muted">{describe(event)}</span>
        </span>
        <span className="hidden truncate text-muted md:block">{source}</span>
      </button>
      {open && (
        <pre
          tabIndex={0}
          aria-label={`Payload of event ${seq}`}
          className="max-h-96 overflow-auto bg-raised px-4 py-3 font-mono text-xs leading-5"
        >
          {JSON.stringify(payload, null, 2)}
        </pre>
      )}
    </li>
  );
});
