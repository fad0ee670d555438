import { ArrowDown, ArrowUp } from "lucide-react";

import type { Column, Order } from "./order";

interface Props {
  column: Column;
  title: string;
  order: Order;
  onOrder: (order: Order) => void;
  className?: string;
}

/** A column's head, which sorts by it. */
export function ColumnHead({ column, title, order, onOrder, className = "" }: Props) {
  const here = order.by === column;
  const Arrow = order.down ? ArrowDown : ArrowUp;
  return (
    <th
      scope="col"
      aria-sort={here ? (order.down ? "descending" : "ascending") : undefined}
      className={`px-3 py-2 font-medium ${className}`}
    >
      <button
        type="button"
        onClick={() => onOrder({ by: column, down: here ? !order.down : column !== "model" && column !== "state" })}
        className={`inline-flex items-center gap-1 whitespace-nowrap hover:text-text ${here ? "text-text" : "text-muted"}`}
      >
        {title}
        {here && <Arrow size={13} aria-hidden="true" />}
      </button>
    </th>
  );
}
