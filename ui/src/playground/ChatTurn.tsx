import type { Turn } from "./conversation";
import { FiguresLine } from "./FiguresLine";

/** What one side said. `writing`: it is not whole yet. */
export function ChatTurn({ turn, writing = false }: { turn: Turn; writing?: boolean }) {
  const mine = turn.role === "user";
  return (
    <li className={`rounded-md px-3 py-2 ${mine ? "bg-raised" : "border border-line"}`}>
      <p className="mb-0.5 text-xs font-medium text-muted">{mine ? "You" : "Model"}</p>
      {turn.thought && (
        <details className="mb-1 text-muted">
          <summary className="cursor-pointer">Thoughts</summary>
          <p className="break-words whitespace-pre-wrap">{turn.thought}</p>
        </details>
      )}
      <p className="break-words whitespace-pre-wrap" aria-busy={writing}>
        {turn.content}
        {writing && <span aria-hidden="true" className="ml-0.5 inline-block h-3.5 w-1.5 animate-pulse bg-muted align-middle" />}
      </p>
      {turn.figures && <FiguresLine figures={turn.figures} />}
    </li>
  );
}
