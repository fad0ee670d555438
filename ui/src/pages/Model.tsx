import { modelDetails } from "../api/models";
import { useMay } from "../api/session";
import type { KnownModel } from "../api/types";
import { LoadProgress } from "../components/LoadProgress";
import { ModelActions } from "../components/ModelActions";
import { PageTitle } from "../components/PageTitle";
import { Since } from "../components/Since";
import { Stat, Stats } from "../components/Stat";
import { StateBadge } from "../components/StateBadge";
import { Tabs, type Tab } from "../components/Tabs";
import { bytes, count, latency, rate, seconds } from "../lib/format";
import { useAsked } from "../lib/useAsked";
import { useLive, useModel } from "../live/store";
import { Playground } from "../playground/Playground";
import { About } from "./model/About";
import { Activity } from "./model/Activity";
import { EngineLog } from "./model/EngineLog";
import { Memory } from "./model/Memory";
import { Why } from "./model/Why";

export default function Model({ model: name }: { model: string }) {
  const model = useModel(name);
  const known = useLive((state) => state.time !== null);
  if (!model) {
    return <PageTitle title={name} about={known ? "There is no such model, or this key may not see it." : "Loading …"} />;
  }
  return <Known model={model} />;
}

function Known({ model }: { model: KnownModel }) {
  const [mayAct, mayAsk] = [useMay("admin"), useMay("inference")];
  const name = model.model;
  const details = useAsked((signal) => modelDetails(name, signal), `${name} ${model.state} ${model.generation}`);
  const tabs: (Tab | false)[] = [
    mayAsk && { id: "try", title: "Try it", show: () => <Playground model={name} /> },
    { id: "activity", title: "Activity", show: () => <Activity model={name} /> },
    { id: "memory", title: "Memory", show: () => <Memory model={model} about={details.value?.about ?? null} /> },
    mayAct && { id: "why", title: "Plan and decisions", show: () => <Why model={name} /> },
    mayAct && { id: "log", title: "Log", show: () => <EngineLog model={name} /> },
    { id: "about", title: "About", show: () => <About model={model} details={details.value} /> },
  ];
  return (
    <>
      <PageTitle title={name} about={[model.task, model.runtime].filter(Boolean).join(" · ")}>
        {mayAct && <ModelActions wide model={name} state={model.state} can_sleep={model.can_sleep} pinned={model.pinned} />}
      </PageTitle>
      <div className="mb-4 flex flex-wrap items-center gap-x-4 gap-y-1">
        <StateBadge state={model.state} />
        {model.state === "loading" && <LoadProgress {...model} />}
        {model.reason && <p className="min-w-0 break-words text-muted">{model.reason}</p>}
      </div>
      <div className="mb-5">
        <Figures model={model} />
      </div>
      <Tabs label={`About ${name}`} tabs={tabs.filter((tab) => tab !== false)} />
    </>
  );
}

function Figures({ model }: { model: KnownModel }) {
  const held = model.reserved_bytes > 0;
  return (
    <Stats>
      <Stat label="Requests per second" value={rate(model.requests_per_second)} />
      <Stat label="Median latency" value={latency(model.p50_ms)} about={model.p99_ms === null ? "none answered yet" : `99 of 100 within ${latency(model.p99_ms)}`} />
      <Stat
        label="Requests"
        value={count(model.in_flight)}
        about={model.waiting ? `${model.waiting} waiting, ${seconds(model.oldest_wait_s)}` : "none waiting"}
      />
      <Stat label="Idle" value={<Since start={model.idle_since} />} />
      <Stat
        label={held ? "Reserved" : "On disk"}
        value={bytes(held ? model.reserved_bytes : model.size_bytes)}
        about={held ? `${bytes(model.resident_bytes)} measured` : "not in memory"}
      />
    </Stats>
  );
}
