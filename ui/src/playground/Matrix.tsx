/** Values between names and names, darker where they are larger. */
export function Matrix({ names, values }: { names: readonly string[]; values: readonly (readonly number[])[] }) {
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Similarity of each text with each">
      <table className="numbers border-separate border-spacing-0.5">
        <thead>
          <tr>
            <td />
            {names.map((name, at) => (
              <th key={at} scope="col" title={name} className="px-2 font-normal text-muted">
                {at + 1}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {values.map((row, at) => (
            <tr key={at}>
              <th scope="row" title={names[at]} className="max-w-56 truncate pr-3 text-left font-normal text-muted">
                {at + 1} {names[at]}
              </th>
              {row.map((value, column) => (
                <td key={column} className="relative min-w-16 px-2 py-1 text-center">
                  <span
                    aria-hidden="true"
                    className="absolute inset-0 rounded bg-accent"
                    style={{ opacity: 0.05 + 0.3 * Math.max(0, value) }}
                  />
                  <span className="relative">{value.toFixed(3)}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
