import { LogOut } from "lucide-react";
import { Suspense, useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { signOut, useSession } from "../api/session";
import { Notice } from "../components/Notice";
import { useLive } from "../live/store";
import { Announcer } from "./Announcer";
import { Boundary } from "./Boundary";
import { ConnectionState } from "./ConnectionState";
import { Logo } from "./Logo";
import { Nav } from "./Nav";
import { ThemeSwitch } from "./ThemeSwitch";

/** What is around every page. */
export function Shell({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  const main = useFocusOnNewPage(location);
  const refused = useLive((state) => state.refused);
  return (
    <div className="min-h-dvh md:grid md:grid-cols-[13rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-30 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the page
      </a>
      <header className="sticky top-0 z-10 border-b border-line bg-surface md:h-dvh md:border-r md:border-b-0">
        <div className="flex items-center justify-between gap-2 px-4 pt-3 pb-1">
          <Link href="/" className="flex items-center gap-2 text-[15px] font-semibold tracking-tight">
            <Logo /> Modelium
          </Link>
          <div className="flex items-center gap-1 md:hidden">
            <ConnectionState />
            <Account />
          </div>
        </div>
        <Nav />
        <div className="absolute inset-x-0 bottom-0 hidden space-y-1 border-t border-line p-3 md:block">
          <ConnectionState />
          <Account />
        </div>
      </header>
      <main ref={main} id="main" tabIndex={-1} className="mx-auto w-full max-w-[1760px] min-w-0 p-4 outline-none md:p-6">
        {refused && <Notice>{refused}</Notice>}
        <Boundary key={location}>
          <Suspense fallback={<p className="text-muted">Loading …</p>}>{children}</Suspense>
        </Boundary>
      </main>
      <Announcer />
    </div>
  );
}

function Account() {
  const session = useSession((state) => state.session);
  if (!session) return null;
  const keyed = session.authentication !== "none";
  return (
    <div className="flex items-center justify-between gap-2">
      <span className="hidden min-w-0 truncate text-muted md:block" title={`Modelium ${session.version}`}>
        {keyed ? session.name || session.organization : `${session.organization} · ${session.version}`}
      </span>
      <span className="flex">
        <ThemeSwitch />
        {keyed && (
          <button
            type="button"
            aria-label="Sign out"
            title="Sign out"
            onClick={() => signOut()}
            className="inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-text"
          >
            <LogOut size={16} aria-hidden="true" />
          </button>
        )}
      </span>
    </div>
  );
}

/** A new page is where a keyboard or a screen reader goes on; not on the first one. */
function useFocusOnNewPage(location: string) {
  const main = useRef<HTMLElement>(null);
  const before = useRef(location);
  useEffect(() => {
    if (before.current === location) return;
    before.current = location;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [location]);
  return main;
}
