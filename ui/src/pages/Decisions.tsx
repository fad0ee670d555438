import { useState } from "react";

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

/** What the brain and the rules wanted, what was dropped, and what came of it. */
export default function Decisions() {
  const standing = useAsked(brain, "brain", EVERY_MS);
  const newest = useAsked((signal) => decisions(null, signal), "decisions", EVERY_MS);
  const [onlyActing, setOnlyActing] = useState(true);
  const older = useOlder(newest.value?.next_before ?? null);
  const all = joined(newest.value?.decisions ?? [], older.found);
  const shown = onlyActing ? all.filter(wantsChange) : all;
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
          {newest.problem && <Notice>{newest.problem}</Notice>}
          {newest.value && shown.length === 0 && <Empty>Nothing was decided yet that is kept.</Empty>}
          <ol className="-mx-4 -my-4">
            {shown.map((decision) => (
              <DecisionRow key={decision.id} decision={decision} />
            ))}
          </ol>
          {older.problem && <Notice>{older.problem}</Notice>}
          {older.more && (
            <div className="mt-6 text-center">
              <Button onClick={() => void older.load()} disabled={older.loading}>
                Show older ones
              </Button>
            </div>
          )}
        </Card>
      </div>
    </>
  );
}

/** The pages behind the newest one, which alone is asked for again. */
function useOlder(firstBefore: string | null) {
  const [found, setFound] = useState<Decision[]>([]);
  const [before, setBefore] = useState<string | null | undefined>(undefined);
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState("");
  const next = before === undefined ? firstBefore : before;
  const load = async () => {
    setLoading(true);
    try {
      const page = await decisions(next, new AbortController().signal);
      setFound((were) => joined(were, page.decisions));
      setBefore(page.next_before);
      setProblem("");
    } catch (error) {
      setProblem(sentence(error));
    } finally {
      setLoading(false);
    }
  };
  return { found, load, loading, problem, more: next !== null };
}

/** Both, each decision once. */
function joined(newer: Decision[], older: Decision[]): Decision[] {
  const known = new Set(newer.map(({ id }) => id));
  return [...newer, ...older.filter(({ id }) => !known.has(id))];
}
