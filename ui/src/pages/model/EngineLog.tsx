import { useEffect, useRef, useState } from "react";

import { Button } from "../../components/Button";
import { Card } from "../../components/Card";
import { Notice } from "../../components/Notice";
import { useModel } from "../../live/store";
import { useLog } from "./useLog";

/** What the engine writes; stays at the end unless somebody has scrolled up. */
export function EngineLog({ model }: { model: string }) {
  const row = useModel(model);
  const [follow, setFollow] = useState(true);
  const { lines, instance, problem } = useLog(model, row?.generation ?? 0, follow);
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);

  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);

  function onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
  }

  return (
    <Card
      title={instance ? `Log of ${instance}` : "Log"}
      aside={
        <Button aria-pressed={follow} onClick={() => setFollow(!follow)}>
          {follow ? "Following" : "Follow"}
        </Button>
      }
    >
      {problem && <Notice tone="plain">{problem}</Notice>}
      {lines.length > 0 && (
        <pre
          ref={box}
          onScroll={onScroll}
          tabIndex={0}
          aria-label={`Log of ${model}`}
          className="max-h-[60vh] overflow-auto font-mono text-xs leading-5"
        >
          {lines.join("\n")}
        </pre>
      )}
    </Card>
  );
}
