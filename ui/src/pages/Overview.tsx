import { PageTitle } from "../components/PageTitle";
import { Stat, Stats } from "../components/Stat";
import { count, rate } from "../lib/format";
import { running } from "../live/running";
import { useLive } from "../live/store";
import { Attention } from "./overview/Attention";
import { Charts } from "./overview/Charts";
import { Devices } from "./overview/Devices";

export default function Overview() {
  return (
    <>
      <PageTitle title="Overview" />
      <div className="space-y-4">
        <Figures />
        <div className="grid gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
          <Devices />
          <Attention />
        </div>
        <Charts />
      </div>
    </>
  );
}

function Figures() {
  const gateway = useLive((state) => state.gateway);
  const advisor = useLive((state) => state.advisor);
  const models = useLive((state) => state.models);
  const inState = (state: string) => [...models.values()].filter((model) => model.state === state).length;
  const [loaded, sleeping, broken] = [inState("loaded"), inState("sleeping"), inState("error") + inState("rejected")];
  return (
    <Stats>
      <Stat label="Requests per second" value={gateway ? rate(gateway.requests_per_second) : "–"} about="all gateways" />
      <Stat label="Running" value={gateway ? count(running(gateway)) : "–"} about="requests at an engine" />
      <Stat label="Waiting" value={gateway ? count(gateway.waiting) : "–"} about="for a model" />
      <Stat label="Models loaded" value={`${loaded} of ${models.size}`} about={`${sleeping} asleep, ${broken} with faults`} />
      {advisor && (
        <Stat label="Who decides" value={advisor.leads === "llm" ? "language model" : "rules"} about={advisor.backend === "rules" ? "no language model" : advisor.backend} />
      )}
    </Stats>
  );
}
