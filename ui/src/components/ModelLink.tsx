import { Link } from "wouter";

/** The name of a model, which leads to its page. */
export function ModelLink({ model, className = "" }: { model: string; className?: string }) {
  return (
    <Link href={`/models/${encodeURIComponent(model)}`} className={`font-medium hover:underline ${className}`}>
      {model}
    </Link>
  );
}
