// A first request for a model that takes arrays, of the shape that it says it takes. Pure.

export interface TensorSpec {
  name: string;
  datatype: string;
  shape: number[];
}

export interface Tensor extends TensorSpec {
  data: unknown[];
}

/** Written in place of the values of a tensor, which are then made up. */
const RANDOM = "random";
const FREE = 1;
/** Values of an example that are written out; more would fill the editor. */
const MOST_WRITTEN = 64;

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** The body of an inference; a dimension of any length is taken as 1. */
export function exampleFor(inputs: readonly TensorSpec[]): Record<string, unknown> {
  return { inputs: inputs.map(exampleTensor) };
}

function exampleTensor({ name, datatype: said, shape: free }: TensorSpec): Record<string, unknown> {
  const datatype = said || "FP32";
  const shape = (free.length ? free : [FREE]).map((size) => (size > 0 ? size : FREE));
  const size = sizeOf(shape);
  const isFilled = datatype !== "BYTES" && size > MOST_WRITTEN;
  const data = isFilled ? RANDOM : Array<unknown>(size).fill(exampleValue(datatype));
  return { name, datatype, shape, data };
}

function exampleValue(datatype: string): unknown {
  if (datatype === "BYTES") return "a text";
  if (datatype === "BOOL") return true;
  return isFraction(datatype) ? 0.5 : 1;
}

const isFraction = (datatype: string) => datatype.startsWith("FP") || datatype === "BF16";

/** The body with values where it says `"data": "random"`; `random` is in [0, 1). */
export function filledIn(body: Record<string, unknown>, random: () => number): Record<string, unknown> {
  if (!Array.isArray(body.inputs)) return body;
  return { ...body, inputs: body.inputs.map((tensor: unknown) => filledTensor(tensor, random)) };
}

function filledTensor(tensor: unknown, random: () => number): unknown {
  const { data, shape, datatype } = (tensor ?? {}) as Partial<Omit<Tensor, "data">> & { data?: unknown };
  if (data !== RANDOM || !Array.isArray(shape)) return tensor;
  const value = isFraction(datatype ?? "") ? random : () => Math.floor(random() * 2);
  const values = Array.from({ length: sizeOf(shape) }, value);
  return { ...(tensor as object), data: datatype === "BOOL" ? values.map(Boolean) : values };
}
