interface Props {
  label: string;
  /** 0 to 1; null: nobody knows. */
  ratio: number | null;
}

/** How far something is; moves by itself where that is not known. */
export function Progress({ label, ratio }: Props) {
  const known = ratio !== null;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round(ratio * 100) : undefined}
      className="h-1 w-full overflow-hidden rounded-full bg-raised"
    >
      <div
        className={`h-full rounded-full bg-busy-fill ${known ? "transition-[width] duration-1000 ease-linear" : "w-1/3 animate-pulse"}`}
        style={known ? { width: `${Math.min(1, Math.max(0, ratio)) * 100}%` } : undefined}
      />
    </div>
  );
}
