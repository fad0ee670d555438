import { Pause, Play } from "lucide-react";
import { useDeferredValue, useEffect, useRef, useState } from "react";

import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { Empty } from "../components/Empty";
import { Field } from "../components/Field";
import { Notice } from "../components/Notice";
import { PageTitle } from "../components/PageTitle";
import { useLive } from "../live/store";
import { count } from "../lib/format";
import { EventRow } from "./EventRow";
import { follow, loadOlder, MOST_LIVE, pause, resume, unfollow, useFeed } from "./eventFeed";

const SUBJECTS = ["model.*, runtime.*", "model.*", "runtime.*", "decision.*"];

/** What happens on the bus, as it happens. */
export default function Events() {
  const [subject, setSubject] = useState("");
  const [model, setModel] = useState("");
  const [all, setAll] = useState(false);
  const { connection, problem, events } = useFeed();
  useFollowed(subject, model, all);
  return (
    <>
      <PageTitle title="Events" about="Facts on the bus, the newest first.">
        <PauseButton />
      </PageTitle>
      <div className="mb-4 grid gap-3 sm:grid-cols-2 lg:max-w-2xl">
        <Field
          label="Subject"
          list="subjects"
          placeholder="all; * and > as in NATS"
          value={subject}
          onChange={(event) => setSubject(event.target.value)}
        />
        <Field label="Model" list="models" placeholder="all" value={model} onChange={(event) => setModel(event.target.value)} />
        <label className="flex items-center gap-2 sm:col-span-2">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} />
          Also decisions to change nothing
        </label>
        <Suggestions />
      </div>
      {problem && <Notice>{problem}</Notice>}
      {!problem && connection === "reconnecting" && <Notice tone="busy">The stream broke; it is taken up again.</Notice>}
      <Card className="overflow-hidden">
        {events.length === 0 && <Empty>Nothing has happened yet that fits.</Empty>}
        <ol aria-label="Events, the newest first" className="-m-4">
          {events.map((event) => (
            <EventRow key={event.seq} event={event} />
          ))}
        </ol>
      </Card>
      <Older />
    </>
  );
}

function useFollowed(subject: string, model: string, all: boolean): void {
  // What is being typed is not asked for letter by letter.
  const wanted = useDeferredValue(`${subject.trim()}\n${model.trim()}`);
  useEffect(() => {
    const [subjects = "", name = ""] = wanted.split("\n");
    const timer = setTimeout(() => follow({ subject: subjects.split(/[\s,]+/).filter(Boolean), model: name, all }), 250);
    return () => {
      clearTimeout(timer);
      unfollow();
    };
  }, [wanted, all]);
}

function PauseButton() {
  const paused = useFeed((state) => state.paused);
  const held = useFeed((state) => state.held.length);
  if (!paused) {
    return (
      <Button onClick={pause}>
        <Pause size={14} aria-hidden="true" /> Pause
      </Button>
    );
  }
  return (
    <Button look="primary" onClick={resume}>
      <Play size={14} aria-hidden="true" /> Resume
      {held > 0 && <span className="numbers">({held < MOST_LIVE ? count(held) : `${count(MOST_LIVE)} or more`} new)</span>}
    </Button>
  );
}

function Suggestions() {
  const models = useLive((state) => state.models);
  return (
    <>
      <datalist id="subjects">
        {SUBJECTS.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <datalist id="models">
        {[...models.keys()].toSorted().map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

/** Asks for older ones when it comes into sight, or when it is pressed. */
function Older() {
  const nextBefore = useFeed((state) => state.nextBefore);
  const cut = useFeed((state) => state.cut);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    // Not before somebody has scrolled: a short list must not draw in all that is kept.
    const seen = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting && window.scrollY > 0) void loadOlder();
    });
    seen.observe(box.current);
    return () => seen.disconnect();
  }, [nextBefore]);
  if (nextBefore === null) return null;
  return (
    <div ref={box} className="mt-3 flex items-center justify-center gap-3">
      <Button onClick={() => void loadOlder()}>
        Show older ones
      </Button>
      {cut && <span className="text-muted">The newest are left out; Resume goes back to them.</span>}
    </div>
  );
}
