import { Monitor, Moon, Sun } from "lucide-react";

import { choose, useTheme, type Choice } from "../lib/theme";

const NEXT: Record<Choice, Choice> = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: Monitor, light: Sun, dark: Moon };

/** System, light, dark, one after the other. */
export function ThemeSwitch() {
  const choice = useTheme((theme) => theme.choice);
  const Icon = ICONS[choice];
  return (
    <button
      type="button"
      aria-label={`Colours: ${choice}. Change to ${NEXT[choice]}`}
      title={`Colours: ${choice}`}
      onClick={() => choose(NEXT[choice])}
      className="inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-text"
    >
      <Icon size={16} aria-hidden="true" />
    </button>
  );
}
