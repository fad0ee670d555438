import { useEffect, useState } from "react";

import { useLive } from "../live/store";

const MOST = 3;

/** Says changes of models' states to screen readers; not what is there at first. */
export function Announcer() {
  const [text, setText] = useState("");
  useEffect(
    () =>
      useLive.subscribe(({ models }, before) => {
        if (models === before.models || before.models.size === 0) return;
        const news = [...models.values()].filter((model) => before.models.get(model.model)?.state !== model.state);
        if (news.length === 0) return;
        const said = news.slice(0, MOST).map((model) => `${model.model} is ${model.state}`);
        setText([...said, news.length > MOST ? `and ${news.length - MOST} more changes` : ""].filter(Boolean).join(", "));
      }),
    [],
  );
  return (
    <p aria-live="polite" className="sr-only">
      {text}
    </p>
  );
}
