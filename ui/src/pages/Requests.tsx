import { useCallback, useState } from "react";

import { sentence } from "../api/error";
import { cancelRequest, type OpenRequest, openRequests } from "../api/requests";
import { Button } from "../components/Button";
import { Card } from "../components/Card";
import { Empty } from "../components/Empty";
import { ModelLink } from "../components/ModelLink";
import { Notice } from "../components/Notice";
import { PageTitle } from "../components/PageTitle";
import { say } from "../components/toasts";
import { Wide } from "../components/Wide";
import { count, seconds } from "../lib/format";
import { useGatewayNow } from "../lib/now";
import { useAsked } from "../lib/useAsked";
import { useKeyNames } from "../lib/useKeyNames";

const EVERY_MS = 1_000;

/** The requests that wait or run now, and a way to end them. */
export default function Requests() {
  const { value, problem, again } = useAsked(openRequests, "requests", EVERY_MS);
  const names = useKeyNames();
  const requests = value?.requests ?? [];
  const waiting = requests.filter(({ state }) => state === "waiting");
  const running = requests.filter(({ state }) => state === "running");
  return (
    <>
      <PageTitle title="Requests" about="Those that wait for their model, and those at an engine." />
      <div className="flex flex-col gap-4">
        {problem && <Notice>{problem}</Notice>}
        <Card title={`Waiting (${waiting.length})`}>
          <RequestTable requests={waiting} names={names} onEnded={again} none="No request waits." />
        </Card>
        <Card title={`Running (${running.length})`}>
          <RequestTable requests={running} names={names} onEnded={again} none="No request runs." />
        </Card>
        {value && value.left_out > 0 && <p className="text-muted">{count(value.left_out)} more are not listed.</p>}
      </div>
    </>
  );
}

interface TableProps {
  requests: OpenRequest[];
  names: ReadonlyMap<string, string>;
  onEnded: () => void;
  none: string;
}

function RequestTable({ requests, names, onEnded, none }: TableProps) {
  if (requests.length === 0) return <Empty>{none}</Empty>;
  const isWaiting = requests[0]!.state === "waiting";
  return (
    <Wide label={`Requests that ${isWaiting ? "wait" : "run"}`}>
      <table className="w-full text-left">
        <thead className="text-muted">
          <tr>
            {isWaiting && <th className="py-2 pl-4 font-normal">Place</th>}
            <th className="py-2 pl-4 font-normal">Model</th>
            <th className="hidden pl-4 font-normal sm:table-cell">Route</th>
            <th className="hidden pl-4 font-normal md:table-cell">Organisation</th>
            <th className="hidden pl-4 font-normal lg:table-cell">Key</th>
            <th className="pl-4 text-right font-normal">For</th>
            <th className="hidden pl-4 font-normal lg:table-cell">Request</th>
            <th className="pr-4 pl-4">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {requests.map((request) => (
            <RequestRow key={`${request.gateway_id} ${request.id}`} request={request} names={names} onEnded={onEnded} />
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

interface RowProps extends Pick<TableProps, "names" | "onEnded"> {
  request: OpenRequest;
}

function RequestRow({ request, names, onEnded }: RowProps) {
  const { cancel, cancelling } = useCancel(request, onEnded);
  const now = useGatewayNow();
  const forS = request.state === "waiting" ? request.waited_s : Math.max(0, (now - Date.parse(request.since)) / 1000);
  return (
    <tr className="border-t border-line">
      {request.state === "waiting" && <td className="numbers py-1.5 pl-4">{request.position ?? "–"}</td>}
      <td className="max-w-56 truncate py-1.5 pl-4">
        <ModelLink model={request.model} />
      </td>
      <td className="hidden pl-4 whitespace-nowrap sm:table-cell">
        <code>{request.path}</code>
        {request.stream && <span className="text-muted"> stream</span>}
      </td>
      <td className="hidden max-w-40 truncate pl-4 md:table-cell">{request.organization}</td>
      <td className="hidden max-w-32 truncate pl-4 text-muted lg:table-cell">{request.key_id ? (names.get(request.key_id) ?? request.key_id) : "–"}</td>
      <td className="numbers pl-4 text-right whitespace-nowrap">{seconds(Math.floor(forS))}</td>
      <td className="hidden max-w-40 truncate pl-4 text-muted lg:table-cell" title={`${request.id} at ${request.gateway_id}`}>
        {request.id}
      </td>
      <td className="py-1 pr-4 pl-4 text-right">
        <Button look="danger" disabled={cancelling} aria-label={`Cancel request ${request.id}`} onClick={cancel}>
          {cancelling ? "Ending …" : "Cancel"}
        </Button>
      </td>
    </tr>
  );
}

function useCancel(request: OpenRequest, onEnded: () => void) {
  const [cancelling, setCancelling] = useState(false);
  const cancel = useCallback(() => {
    setCancelling(true);
    cancelRequest(request.id).then(
      () => {
        say("good", `Request ${request.id} is being ended.`);
        onEnded();
      },
      (error: unknown) => {
        setCancelling(false);
        say("bad", sentence(error));
      },
    );
  }, [request.id, onEnded]);
  return { cancel, cancelling };
}
