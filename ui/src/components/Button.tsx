import type { ButtonHTMLAttributes } from "react";

const LOOKS = {
  primary: "bg-accent text-on-accent border-transparent hover:opacity-90",
  plain: "bg-surface text-text border-line hover:bg-raised",
  quiet: "bg-transparent text-muted border-transparent hover:bg-raised hover:text-text",
  danger: "bg-surface text-bad border-line hover:bg-raised",
} as const;

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
  /** Nothing but an icon inside: square, and `aria-label` says what it does. */
  square?: boolean;
}

/** A real button; `type` is never "submit" by accident. */
export function Button({ look = "plain", className = "", type = "button", square = false, ...rest }: Props) {
  return (
    <button
      type={type}
      className={`inline-flex h-7 items-center justify-center gap-1.5 whitespace-nowrap rounded-md border font-medium transition-colors disabled:cursor-not-allowed disabled:opacity-50 ${square ? "w-7" : "px-2.5"} ${LOOKS[look]} ${className}`}
      {...rest}
    />
  );
}
