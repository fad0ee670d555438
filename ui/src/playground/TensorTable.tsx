import type { Tensor, TensorSpec } from "./tensors";

const SHOWN = 12;

/** Tensors by name, datatype and shape, with the first of their values where there are some. */
export function TensorTable({ label, tensors }: { label: string; tensors: readonly (Tensor | TensorSpec)[] }) {
  if (tensors.length === 0) return <p className="text-muted">{label}: its files do not say.</p>;
  const hasData = tensors.some((tensor) => "data" in tensor);
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-left" aria-label={label}>
        <thead className="text-muted">
          <tr>
            <th className="py-1 pr-4 font-normal">{label}</th>
            <th className="pr-4 font-normal">Datatype</th>
            <th className="pr-4 font-normal">Shape</th>
            {hasData && <th className="font-normal">Values</th>}
          </tr>
        </thead>
        <tbody>
          {tensors.map((tensor) => (
            <tr key={tensor.name} className="border-t border-line align-top">
              <td className="py-1 pr-4 font-medium">{tensor.name}</td>
              <td className="py-1 pr-4">{tensor.datatype || "any"}</td>
              <td className="numbers py-1 pr-4 whitespace-nowrap">{tensor.shape.map((n) => (n < 0 ? "any" : n)).join(" × ")}</td>
              {"data" in tensor && <td className="numbers py-1 font-mono text-xs leading-5 break-all">{shown(tensor.data)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(data: readonly unknown[]): string {
  const flat = data.flat(8);
  const first = flat.slice(0, SHOWN).map((value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value));
  return first.join(", ") + (flat.length > SHOWN ? `, … (${flat.length.toLocaleString("en")})` : "");
}
