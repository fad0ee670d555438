// Short words on what an action came to; the newest three stay a few seconds.
import { create } from "zustand";

export interface Toast {
  id: number;
  tone: "good" | "bad";
  text: string;
}

const STAY_MS = { good: 4_000, bad: 10_000 };
let newest = 0;

export const useToasts = create<{ toasts: Toast[] }>(() => ({ toasts: [] }));

export function dismiss(id: number): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) }));
}

/** Say it; it goes by itself. */
export function say(tone: Toast["tone"], text: string): void {
  const id = ++newest;
  useToasts.setState(({ toasts }) => ({ toasts: [...toasts, { id, tone, text }].slice(-3) }));
  setTimeout(() => dismiss(id), STAY_MS[tone]);
}
