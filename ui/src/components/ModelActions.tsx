import { CircleStop, Moon, Pin, PinOff, Play, RotateCw, type LucideIcon } from "lucide-react";
import { memo, useState } from "react";

import { sentence } from "../api/error";
import { act, type Action } from "../api/models";
import type { LiveModel } from "../api/types";
import { Button } from "./Button";
import { say } from "./toasts";

const LOOKS: Record<Action, { icon: LucideIcon; text: string; done: string }> = {
  load: { icon: Play, text: "Load", done: "is asked for" },
  unload: { icon: CircleStop, text: "Unload", done: "is unloaded once its requests have ended" },
  sleep: { icon: Moon, text: "Put to sleep", done: "is put to sleep once its requests have ended" },
  retry: { icon: RotateCw, text: "Try again", done: "is tried again" },
  pin: { icon: Pin, text: "Pin", done: "is kept loaded from now on" },
  unpin: { icon: PinOff, text: "Unpin", done: "is no longer kept loaded" },
};

/** What can be done with a model in this state. */
export function actionsOf(model: Pick<LiveModel, "state" | "can_sleep" | "pinned">): Action[] {
  const pin: Action = model.pinned ? "unpin" : "pin";
  switch (model.state) {
    case "loaded":
      if (model.pinned) return [pin];
      return model.can_sleep ? ["sleep", "unload", pin] : ["unload", pin];
    case "loading":
      return model.pinned ? [pin] : ["unload", pin];
    case "sleeping":
      return model.pinned ? ["load", pin] : ["load", "unload", pin];
    case "error":
      return ["retry", pin];
    case "unloaded":
      return ["load", pin];
    case "rejected":
      return [];
    default:
      return [pin];
  }
}

type Acted = Pick<LiveModel, "model" | "state" | "can_sleep" | "pinned">;

interface Props extends Acted {
  /** With their words, and not as icons alone. */
  wide?: boolean;
}

/** The buttons for a model; what becomes of it is shown by the model itself. */
export const ModelActions = memo(function ModelActions({ wide = false, ...model }: Props) {
  const [busy, setBusy] = useState<Action | null>(null);

  async function run(action: Action) {
    setBusy(action);
    try {
      await act(model.model, action);
      say("good", `${model.model} ${LOOKS[action].done}.`);
    } catch (error) {
      say("bad", sentence(error));
    } finally {
      setBusy(null);
    }
  }

  return (
    <div role="group" aria-label={`Actions for ${model.model}`} className={`flex gap-1 ${wide ? "flex-wrap" : "justify-end"}`}>
      {actionsOf(model).map((action) => {
        const { icon: Icon, text } = LOOKS[action];
        return (
          <Button
            key={action}
            look={wide ? "plain" : "quiet"}
            square={!wide}
            aria-label={`${text} ${model.model}`}
            title={text}
            disabled={busy !== null}
            onClick={() => void run(action)}
          >
            <Icon size={15} aria-hidden="true" />
            {wide && text}
          </Button>
        );
      })}
    </div>
  );
});
