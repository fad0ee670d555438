import { useId, type TextareaHTMLAttributes } from "react";

interface Props extends TextareaHTMLAttributes<HTMLTextAreaElement> {
  label: string;
  hideLabel?: boolean;
}

/** A labelled field for longer texts. */
export function TextArea({ label, hideLabel = false, className = "", ...rest }: Props) {
  const id = useId();
  return (
    <div className="min-w-0 grow">
      <label htmlFor={id} className={hideLabel ? "sr-only" : "mb-1 block font-medium"}>
        {label}
      </label>
      <textarea
        id={id}
        className={`block w-full resize-y rounded-md border border-line bg-surface px-2.5 py-1.5 text-text placeholder:text-muted ${className}`}
        {...rest}
      />
    </div>
  );
}
