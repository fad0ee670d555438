import { useId, useRef, type KeyboardEvent, type ReactNode } from "react";
import { useSearchParams } from "wouter";

export interface Tab {
  id: string;
  title: string;
  /** Made when it is looked at. */
  show: () => ReactNode;
}

/** One of several panels; which one is part of the address, so that it can be sent to others. */
export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }) {
  const id = useId();
  const [search, setSearch] = useSearchParams();
  const buttons = useRef<(HTMLButtonElement | null)[]>([]);
  const found = tabs.findIndex((tab) => tab.id === search.get("tab"));
  const at = found < 0 ? 0 : found;
  const tab = tabs[at]!;

  function select(index: number) {
    const next = (index + tabs.length) % tabs.length;
    setSearch({ tab: tabs[next]!.id }, { replace: true });
    buttons.current[next]?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(to);
  }

  return (
    <>
      <div
        role="tablist"
        aria-label={label}
        onKeyDown={onKeyDown}
        className="mb-4 flex gap-1 overflow-x-auto overflow-y-hidden border-b border-line"
      >
        {tabs.map((each, index) => (
          <button
            key={each.id}
            ref={(button) => void (buttons.current[index] = button)}
            type="button"
            role="tab"
            id={`${id}-${each.id}`}
            aria-selected={index === at}
            aria-controls={`${id}-panel`}
            tabIndex={index === at ? 0 : -1}
            onClick={() => select(index)}
            className={`-mb-px h-9 border-b-2 px-3 font-medium whitespace-nowrap ${index === at ? "border-accent" : "border-transparent text-muted hover:text-text"}`}
          >
            {each.title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tab.id}`}>
        {tab.show()}
      </div>
    </>
  );
}
