export interface Score {
  name: string;
  score: number;
}

/** Names with their scores as bars, to the scale of the highest. */
export function Scores({ scores, label }: { scores: readonly Score[]; label: string }) {
  const most = Math.max(...scores.map(({ score }) => score), Number.EPSILON);
  return (
    <ol aria-label={label} className="flex flex-col gap-1">
      {scores.map(({ name, score }, at) => (
        <li key={at} className="grid grid-cols-[minmax(0,1fr)_4.5rem] items-center gap-x-3">
          <span className="relative overflow-hidden rounded px-2 py-1">
            <span
              aria-hidden="true"
              className="absolute inset-y-0 left-0 rounded bg-accent/20"
              style={{ width: `${Math.max(0, score / most) * 100}%` }}
            />
            <span className="relative block truncate" title={name}>
              {name}
            </span>
          </span>
          <span className="numbers text-right">{score.toFixed(4)}</span>
        </li>
      ))}
    </ol>
  );
}
