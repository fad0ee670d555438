import { X } from "lucide-react";

import { dismiss, useToasts } from "../components/toasts";

/** The words of `say`, read out by screen readers. */
export function Toasts() {
  const toasts = useToasts((state) => state.toasts);
  return (
    <div aria-live="polite" className="fixed right-4 bottom-4 z-20 flex w-[min(24rem,calc(100vw-2rem))] flex-col gap-2">
      {toasts.map((toast) => (
        <div
          key={toast.id}
          className="flex items-start justify-between gap-2 rounded-lg border border-line bg-surface px-3 py-2 shadow-lg"
        >
          <span className={toast.tone === "bad" ? "text-bad" : ""}>{toast.text}</span>
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(toast.id)} className="text-muted">
            <X size={16} aria-hidden="true" />
          </button>
        </div>
      ))}
    </div>
  );
}
