// The gateway's time as this page knows it, a second at a time. One timer for all that counts.
import { create } from "zustand";

let skewMs = 0;

const current = () => Date.now() - skewMs;

export const useClock = create<{ now: number }>(() => ({ now: current() }));

setInterval(() => useClock.setState({ now: current() }), 1000);

/** Learn from a message how far this machine's clock is from the gateway's. */
export function setGatewayTime(iso: string): void {
  skewMs = Date.now() - Date.parse(iso);
}

/** The gateway's time in milliseconds, anew each second. */
export const useGatewayNow = () => useClock((clock) => clock.now);
