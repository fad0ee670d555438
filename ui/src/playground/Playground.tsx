/** Where a model is tried; fits its task. */
export function Playground({ model }: { model: string }) {
  return <p className="text-muted">{model}</p>;
}
