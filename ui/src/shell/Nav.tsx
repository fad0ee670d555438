import { useEffect, useRef } from "react";
import { Link, useLocation } from "wouter";

import { useSession } from "../api/session";
import { PAGES, type Page } from "../pages";

function usePages(): Page[] {
  const scopes = useSession((state) => state.session?.scopes);
  return PAGES.filter((page) => scopes?.includes(page.needs));
}

/** The pages that this key may see; a row that scrolls on a narrow screen. */
export function Nav() {
  const [location] = useLocation();
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [location]);
  return (
    <nav aria-label="Pages" className="min-w-0 overflow-x-auto">
      <ul ref={list} className="flex gap-0.5 p-1 md:flex-col md:gap-0.5 md:p-3">
        {usePages().map(({ path, title, icon: Icon }) => {
          const here = path === "/" ? location === "/" : location.startsWith(path);
          const look = here ? "bg-raised text-text" : "text-muted hover:bg-raised hover:text-text";
          return (
            <li key={path}>
              <Link
                href={path}
                aria-current={here ? "page" : undefined}
                className={`flex h-8 items-center gap-2 whitespace-nowrap rounded-md px-2.5 font-medium ${look}`}
              >
                <Icon size={16} aria-hidden="true" /> {title}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
