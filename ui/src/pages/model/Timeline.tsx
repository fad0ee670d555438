import { useEffect, useState } from "react";

import { sentence } from "../../api/error";
import { recentEvents } from "../../api/models";
import type { BusEvent } from "../../api/types";
import { Button } from "../../components/Button";
import { Card } from "../../components/Card";
import { Empty } from "../../components/Empty";
import { Notice } from "../../components/Notice";
import { describe } from "../../lib/describe";
import { clockTime } from "../../lib/format";
import { useAsked } from "../../lib/useAsked";
import { useModel } from "../../live/store";

const LIMIT = 50;

/** What has happened to the model, the newest first. */
export function Timeline({ model }: { model: string }) {
  const row = useModel(model);
  const turn = `${model} ${row?.state} ${row?.generation} ${row?.failures}`;
  const newest = useAsked((signal) => recentEvents({ model, limit: LIMIT }, signal), turn);
  const [older, setOlder] = useState<BusEvent[]>([]);
  const [before, setBefore] = useState<number | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => setBefore(newest.value?.next_before ?? null), [newest.value]);
  useEffect(() => setOlder([]), [turn]);

  async function more() {
    try {
      const page = await recentEvents({ model, limit: LIMIT, before: before! }, new AbortController().signal);
      setOlder((was) => [...was, ...page.events]);
      setBefore(page.next_before);
    } catch (error) {
      setProblem(sentence(error));
    }
  }

  const events = [...(newest.value?.events ?? []), ...older];
  const said = newest.problem || problem;
  return (
    <Card title="What happened">
      {said && <Notice>{said}</Notice>}
      {events.length === 0 && !newest.asking && !said && <Empty>Nothing that is still kept.</Empty>}
      <ol className="relative space-y-2">
        {events.map((event) => (
          <li key={event.seq} className="grid grid-cols-[5.5rem_minmax(0,1fr)] gap-x-3">
            <time dateTime={event.time} className="numbers text-muted">
              {clockTime(event.time)}
            </time>
            <div className="min-w-0">
              <span className="font-medium">{event.subject}</span>
              <span className="block break-words text-muted">{describe(event)}</span>
            </div>
          </li>
        ))}
      </ol>
      {before !== null && (
        <Button className="mt-3" onClick={() => void more()}>
          Earlier
        </Button>
      )}
    </Card>
  );
}
