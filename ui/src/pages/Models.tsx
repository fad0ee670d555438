import { useDeferredValue, useMemo, useState } from "react";

import { useMay } from "../api/session";
import { Empty } from "../components/Empty";
import { Field } from "../components/Field";
import { PageTitle } from "../components/PageTitle";
import { useLive } from "../live/store";
import { UploadButton } from "../upload/UploadButton";
import { ColumnHead } from "./models/ColumnHead";
import { ModelRow } from "./models/ModelRow";
import { matching, ordered, type Column, type Order } from "./models/order";

const NUMBERS: [Column, string][] = [
  ["memory", "Memory"],
  ["rate", "Req/s"],
  ["p50", "p50"],
  ["p99", "p99"],
  ["requests", "Requests"],
  ["idle", "Idle"],
];
/** So many rows at once; a search finds the others. */
const MOST = 300;

export default function Models() {
  const models = useLive((state) => state.models);
  const mayAct = useMay("admin");
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>({ by: "model", down: false });
  const wanted = useDeferredValue(search);
  const found = useMemo(() => ordered(matching(models.values(), wanted), order), [models, wanted, order]);
  const head = { order, onOrder: setOrder };
  return (
    <>
      <PageTitle title="Models" about={`${found.length === models.size ? "" : `${found.length} of `}${models.size} models`}>
        <Field
          label="Search models"
          hideLabel
          type="search"
          placeholder="Name, state, task …"
          className="w-60"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <UploadButton />
      </PageTitle>
      <div className="overflow-x-auto rounded-lg border border-line bg-surface">
        <table className="w-full">
          <thead>
            <tr>
              <ColumnHead column="model" title="Model" {...head} className="pl-4 text-left" />
              <ColumnHead column="state" title="State" {...head} className="hidden text-left md:table-cell" />
              {NUMBERS.map(([column, title]) => (
                <ColumnHead key={column} column={column} title={title} {...head} className="hidden text-right md:table-cell" />
              ))}
              {mayAct && (
                <th scope="col" className="px-4">
                  <span className="sr-only">Actions</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {found.slice(0, MOST).map((model) => (
              <ModelRow key={model.model} model={model} mayAct={mayAct} />
            ))}
          </tbody>
        </table>
        {found.length === 0 && (
          <Empty>
            {models.size === 0 ? "There are no models yet: put one into the folder that is watched." : "No model matches."}
          </Empty>
        )}
        {found.length > MOST && <Empty>{found.length - MOST} more; search for them.</Empty>}
      </div>
    </>
  );
}
