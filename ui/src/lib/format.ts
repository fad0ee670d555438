// Numbers for people. One place, so that the same thing looks the same everywhere.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 19327352832 → "18 GiB". */
export function bytes(value: number): string {
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left < 10 && unit > 0 ? left.toFixed(1).replace(/\.0$/, "") : Math.round(left)} ${UNITS[unit]}`;
}

/** 0.4 → "0.4 s", 75 → "1 min 15 s", 8000 → "2 h 13 min". */
export function seconds(value: number): string {
  if (value < 10) return `${Math.round(value * 10) / 10} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  if (minutes < 60) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  const [hours, left] = [Math.floor(minutes / 60), minutes % 60];
  if (hours < 48) return left ? `${hours} h ${left} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** 3.2 → "3.2", 0.04 → "0.04", 1500 → "1,500". */
export function rate(value: number): string {
  if (value === 0) return "0";
  if (value < 1) return value.toPrecision(1);
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

/** Milliseconds of a latency; null: none was seen. */
export function latency(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

export const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`;

export const count = (value: number): string => value.toLocaleString("en");

/** The clock time of today, with the date for other days. */
export function clockTime(iso: string): string {
  const time = new Date(iso);
  const today = new Date().toDateString() === time.toDateString();
  const clock = time.toLocaleTimeString("en-GB");
  return today ? clock : `${time.toLocaleDateString("en-CA")} ${clock}`;
}
