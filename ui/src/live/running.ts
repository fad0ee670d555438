// Of the requests that the gateways have, those that an engine answers.
import type { LiveGateway } from "../api/types";

/** `active_requests` are all of them, also those that wait. */
export const running = (gateway: Pick<LiveGateway, "active_requests" | "waiting">): number =>
  Math.max(0, gateway.active_requests - gateway.waiting);
