import { useEffect, useRef } from "react";
import uPlot from "uplot";

import { useTheme } from "../lib/theme";

export interface Line {
  label: string;
  /** Name of a colour of app.css, without the dashes. */
  color: "accent" | "good" | "busy" | "rest" | "bad" | "muted";
  fill?: boolean;
}

interface Props {
  /** What it shows, for those who cannot see it. */
  label: string;
  lines: Line[];
  /** The newest columns: times in seconds, then one row per line. */
  columns: () => uPlot.AlignedData;
  /** Calls back when `columns` has news; returns what ends that. */
  listen?: (listener: () => void) => () => void;
  format?: (value: number) => string;
  height?: number;
  /** At least so many seconds wide, however few are known. */
  leastS?: number;
  /** Upper end of the axis at least: a flat zero line is not drawn at half height. */
  least?: number;
}

/** The time of day, as finely as the marks are apart. */
const clock = (at: number, step: number) =>
  step < 86_400
    ? new Date(at * 1000).toLocaleTimeString("en-GB", step < 60 ? {} : { hour: "2-digit", minute: "2-digit" })
    : new Date(at * 1000).toLocaleDateString("en-CA");

/** From the oldest to the newest time, at least `leastS`; uPlot's own idea of no time or of a single one is years wide. */
function span(times: uPlot.AlignedData[0], leastS: number): [number, number] {
  const newest = times[times.length - 1] ?? Date.now() / 1000;
  return [Math.min(times[0] ?? newest, newest - leastS), newest];
}

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

/** The values under the pointer, in words. */
function told(plot: uPlot, { lines, format = String }: Props): string {
  const at = plot.cursor.idx;
  if (at === null || at === undefined) return "";
  const values = lines.map(({ label }, index) => {
    const value = plot.data[index + 1]?.[at];
    return value === null || value === undefined ? "" : lines.length > 1 ? `${label} ${format(value)}` : format(value);
  });
  return [clock(plot.data[0][at]!, 1), ...values.filter(Boolean)].join(" · ");
}

function options({ lines, format = String, height = 140, least = 1, leastS }: Props, width: number): uPlot.Options {
  const axis = {
    stroke: css("muted"),
    grid: { stroke: css("line"), width: 1 },
    ticks: { show: false },
    font: "11px Inter, system-ui, sans-serif",
  };
  return {
    width,
    height,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 28, 0, 0],
    scales: {
      ...(leastS ? { x: { range: (plot) => span(plot.data[0], leastS) } } : {}),
      y: { range: (_plot, low, high) => [Math.min(0, (low ?? 0) * 1.1), Math.max(least, (high ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, space: 80, values: (_plot, marks, _axis, _space, step) => marks.map((mark) => clock(mark, step)), size: 24 },
      { ...axis, size: 56, space: 32, values: (_plot, marks) => marks.map(format) },
    ],
    series: [
      {},
      ...lines.map(({ label, color, fill }) => ({
        label,
        stroke: css(color),
        width: 1.5,
        ...(fill ? { fill: `color-mix(in srgb, ${css(color)} 14%, transparent)` } : {}),
        points: { show: false },
      })),
    ],
  };
}

/** Lines over time. The numbers in it are also said by text elsewhere on the page. */
export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const pointed = useRef<HTMLDivElement>(null);
  const dark = useTheme((theme) => theme.dark);
  const { label, lines, columns, listen, height = 140 } = props;
  const key = lines.map((line) => line.label + line.color).join();

  useEffect(() => {
    const element = box.current!;
    const point = (plot: uPlot) => void (pointed.current!.textContent = told(plot, props));
    const drawn = { ...options(props, element.clientWidth || 300), hooks: { setCursor: [point] } };
    const plot = new uPlot(drawn, columns(), element);
    const sized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    // A page nobody looks at draws nothing.
    const quit = listen?.(() => document.hidden || plot.setData(columns()));
    return () => {
      quit?.();
      sized.disconnect();
      plot.destroy();
    };
    // Colours are read from the style sheet: another theme is another plot.
  }, [key, dark, height, columns, listen]);

  return (
    <figure className="relative">
      <div
        ref={pointed}
        aria-hidden="true"
        className="numbers pointer-events-none absolute -top-1 right-0 z-1 rounded bg-surface px-1 text-xs text-muted"
      />
      <div ref={box} role="img" aria-label={label} className="min-w-0 overflow-hidden" style={{ height }} />
      {lines.length > 1 && (
        <figcaption className="mt-1 flex flex-wrap gap-x-4 text-muted">
          {lines.map((line) => (
            <span key={line.label} className="inline-flex items-center gap-1.5">
              <span aria-hidden="true" className="h-0.5 w-3" style={{ background: `var(--${line.color})` }} />
              {line.label}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}
