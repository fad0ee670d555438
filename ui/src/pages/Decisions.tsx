import { useEffect, useState } from "react";

import { brain, type Decision, decisions } from "../api/decisions";
import { sentence } from "../api/error";
import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { Empty } from "../components/Empty";
import { Notice } from "../components/Notice";
import { PageTitle } from "../components/PageTitle";
import { useAsked } from "../lib/useAsked";
import { DecisionRow, wantsChange } from "./DecisionRow";
import { DecisionsStanding } from "./DecisionsStanding";

const EVERY_MS = 5_000;
/** Decisions that are shown at once. */
const MOST = 1_000;

/** What the brain and the rules wanted, what was dropped, and what came of it. */
export default function Decisions() {
  const standing = useAsked(brain, "brain", EVERY_MS);
  const { seen, known, more, loading, loadOlder, problem } = useDecisions();
  const [onlyActing, setOnlyActing] = useState(true);
  const shown = onlyActing ? seen.filter(wantsChange) : seen;
  return (
    <>
      <PageTitle title="Decisions" about="What was wanted, what the guard dropped by which rule, and what came of it." />
      <div className="flex flex-col gap-4">
        {standing.problem && <Notice tone="busy">{standing.problem}</Notice>}
        {standing.value && <DecisionsStanding status={standing.value} />}
        <Card
          title="Newest first"
          aside={
            <label className="flex items-center gap-2">
              <input type="checkbox" checked={onlyActing} onChange={(event) => setOnlyActing(event.target.checked)} />
              only those that wanted a change
            </label>
          }
        >
          {problem && <Notice>{problem}</Notice>}
          {known && shown.length === 0 && (
            <Empty>
              {seen.length === 0 ? "Nothing was decided yet that is kept." : `None of the newest ${seen.length} wanted a change.`}
            </Empty>
          )}
          <ol className="-mx-4 -my-4">
            {shown.map((decision) => (
              <DecisionRow key={decision.id} decision={decision} />
            ))}
          </ol>
          {more && (
            <div className="mt-6 text-center">
              <Button onClick={() => void loadOlder()} disabled={loading}>
                Show older ones
              </Button>
            </div>
          )}
        </Card>
      </div>
    </>
  );
}

/** Those that were seen, the newest first, and the way to older ones; only the newest are asked for again. */
function useDecisions() {
  const newest = useAsked((signal) => decisions(null, signal), "decisions", EVERY_MS);
  const [seen, setSeen] = useState<Decision[]>([]);
  /** Where older ones begin; undefined: as the first page says. */
  const [before, setBefore] = useState<string | null>();
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!newest.value) return;
    const { decisions: found, next_before } = newest.value;
    // More than a page since the last answer, as after a computer's sleep: what is between is not known.
    const gap = seen.length > 0 && !found.some(({ id }) => seen.some((one) => one.id === id));
    setSeen((were) => (gap ? found : joined(found, were).slice(0, MOST)));
    setBefore((was) => (gap || was === undefined ? next_before : was));
  }, [newest.value]);
  const loadOlder = async () => {
    setLoading(true);
    try {
      const page = await decisions(before ?? null, new AbortController().signal);
      setSeen((were) => joined(were, page.decisions));
      setBefore(page.next_before);
      setProblem("");
    } catch (error) {
      setProblem(sentence(error));
    } finally {
      setLoading(false);
    }
  };
  const more = (before ?? null) !== null && seen.length < MOST;
  return { seen, known: newest.value !== null, more, loading, loadOlder, problem: problem || newest.problem };
}

/** Both, each decision once. */
function joined(newer: Decision[], older: Decision[]): Decision[] {
  const known = new Set(newer.map(({ id }) => id));
  return [...newer, ...older.filter(({ id }) => !known.has(id))];
}
