// Arithmetic on embeddings. Pure.

/** The cosine of the angle between two vectors of one length; 0 for a vector of zeros. */
export function cosine(left: readonly number[], right: readonly number[]): number {
  let product = 0;
  let leftSquared = 0;
  let rightSquared = 0;
  left.forEach((value, at) => {
    const other = right[at] ?? 0;
    product += value * other;
    leftSquared += value * value;
    rightSquared += other * other;
  });
  const lengths = Math.sqrt(leftSquared * rightSquared);
  return lengths === 0 ? 0 : product / lengths;
}

/** The cosine of each with each. */
export function similarities(vectors: readonly (readonly number[])[]): number[][] {
  return vectors.map((left) => vectors.map((right) => cosine(left, right)));
}
