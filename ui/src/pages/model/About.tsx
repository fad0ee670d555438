import type { ModelDetails } from "../../api/models";
import type { LiveModel } from "../../api/types";
import { Card } from "../../components/Card";
import { Facts } from "../../components/Facts";
import { bytes, clockTime, count, seconds } from "../../lib/format";

const plain = (value: unknown): string => {
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return "";
  if (Array.isArray(value)) return value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
};
/** Told in words above the table, or of use to programs only. */
const TOLD = ["weight_bytes", "runtime_reason", "content_fingerprint", "parameters", "context_length"];

/** What its files say, and how it is served. */
export function About({ model, details }: { model: LiveModel; details: ModelDetails | null }) {
  const about = details?.about ?? {};
  const rest = Object.entries(about)
    .filter(([name]) => !TOLD.includes(name))
    .map(([name, value]) => [name.replaceAll("_", " "), plain(value)] as const)
    .filter(([, value]) => value !== "" && value !== "{}" && value !== "null");
  return (
    <div className="grid items-start gap-4 xl:grid-cols-2">
      <Card title="How it is served">
        <Facts
          facts={[
            ["Runtime", model.runtime ?? ""],
            ["Why", details?.runtime_reason ?? ""],
            ["Answers", model.capabilities.join(", ")],
            ["Also called", details?.aliases.join(", ") ?? ""],
            ["Last load", details?.load_s ? seconds(details.load_s) : ""],
            ["Loaded since", model.loaded_at ? clockTime(model.loaded_at) : ""],
            ["Load attempts", count(model.generation)],
            ["Failures in a row", model.failures ? count(model.failures) : ""],
            ["Tried again", model.retry_at && model.state === "error" ? clockTime(model.retry_at) : ""],
            ["Engines", details?.engines.map((engine) => `${engine.instance_id} (${engine.state}, ${engine.agent_id})`).join(", ") ?? ""],
          ]}
        />
      </Card>
      <Card title="What its files say">
        <Facts
          facts={[
            ["Parameters", about.parameters ? count(Number(about.parameters)) : ""],
            ["Weights", about.weight_bytes ? bytes(Number(about.weight_bytes)) : ""],
            ["Context", details?.context_length ? `${count(details.context_length)} tokens` : ""],
            ...rest,
          ]}
        />
      </Card>
    </div>
  );
}
