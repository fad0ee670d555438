// JSON that a person reads and writes. Pure.

/** Indented, but for arrays of plain values: each of those stays on a line. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/\[\n[^[\]{}]*?\n *\]/g, (array) => array.replace(/\n */g, " "));
}

export type Parsed = { value: Record<string, unknown>; problem: null } | { value: null; problem: string };

/** The object that a text is, or what is wrong with it. */
export function parseObject(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { value: value as Record<string, unknown>, problem: null };
    }
    return { value: null, problem: "An object is expected: { … }." };
  } catch (error) {
    return { value: null, problem: `This is no JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}
