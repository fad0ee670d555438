import { useState } from "react";

import { listKeys } from "../api/keys";
import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { Empty } from "../components/Empty";
import { Notice } from "../components/Notice";
import { PageTitle } from "../components/PageTitle";
import { useAsked } from "../lib/useAsked";
import { KeyForm } from "./KeyForm";
import { KeyTable } from "./KeyTable";
import { NewKey } from "./NewKey";

/** API keys: who has one, what it may do, and how it ends. */
export default function Keys() {
  const { value, problem, again } = useAsked(listKeys, "keys");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const keys = value?.keys ?? [];
  return (
    <>
      <PageTitle title="Keys" about="A key is shown once, when it is made; only a hash of it is kept.">
        {!making && (
          <Button
            look="primary"
            onClick={() => {
              setMaking(true);
              setMade(null);
            }}
          >
            New key
          </Button>
        )}
      </PageTitle>
      <div className="flex flex-col gap-4">
        {problem && <Notice>{problem}</Notice>}
        {made && <NewKey text={made} onDone={() => setMade(null)} />}
        {making && (
          <KeyForm
            onClose={() => setMaking(false)}
            onMade={(key) => {
              setMaking(false);
              setMade(key);
              again();
            }}
          />
        )}
        <Card title="All keys">
          {value && keys.length === 0 && <Empty>There is no key yet.</Empty>}
          {keys.length > 0 && <KeyTable keys={keys} onChanged={again} />}
        </Card>
      </div>
    </>
  );
}
