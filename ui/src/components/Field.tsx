import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from "react";

export const FIELD =
  "h-8 w-full min-w-0 rounded-md border border-line bg-surface px-2.5 text-text placeholder:text-muted";

interface Props extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  /** The label is for screen readers only. */
  hideLabel?: boolean;
  hint?: ReactNode;
}

/** A labelled text field. */
export function Field({ label, hideLabel = false, hint, className = "", ...rest }: Props) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className={hideLabel ? "sr-only" : "mb-1 block font-medium"}>
        {label}
      </label>
      <input id={id} className={FIELD} aria-describedby={hint ? `${id}-hint` : undefined} {...rest} />
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-muted">
          {hint}
        </p>
      )}
    </div>
  );
}

interface SelectProps extends SelectHTMLAttributes<HTMLSelectElement> {
  label: string;
  hideLabel?: boolean;
}

/** A labelled choice; its options are the children. */
export function Select({ label, hideLabel = false, className = "", children, ...rest }: SelectProps) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className={hideLabel ? "sr-only" : "mb-1 block font-medium"}>
        {label}
      </label>
      <select id={id} className={FIELD} {...rest}>
        {children}
      </select>
    </div>
  );
}
