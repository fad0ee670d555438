// Light or dark: what the system says, until somebody chooses otherwise.
import { create } from "zustand";

export type Choice = "system" | "light" | "dark";

const NAME = "modelium.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function chosen(): Choice {
  const kept = localStorage.getItem(NAME);
  return kept === "light" || kept === "dark" ? kept : "system";
}

interface Theme {
  choice: Choice;
  dark: boolean;
}

export const useTheme = create<Theme>(() => ({ choice: chosen(), dark: false }));

function apply(): void {
  const { choice } = useTheme.getState();
  const dark = choice === "system" ? system.matches : choice === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  useTheme.setState({ dark });
}

/** Take and keep a choice. */
export function choose(choice: Choice): void {
  if (choice === "system") localStorage.removeItem(NAME);
  else localStorage.setItem(NAME, choice);
  useTheme.setState({ choice });
  apply();
}

system.addEventListener("change", apply);
apply();
