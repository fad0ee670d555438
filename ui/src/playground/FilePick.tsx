import { type DragEvent, type ReactNode, useState } from "react";

interface Props {
  label: string;
  /** As for an input of files: `image/*`. */
  accept: string;
  file: File | null;
  onPick: (file: File) => void;
  children?: ReactNode;
}

/** One file, chosen or dropped. */
export function FilePick({ label, accept, file, onPick, children }: Props) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    const dropped = event.dataTransfer.files[0];
    setOver(false);
    if (!dropped) return;
    // Or the page would take it for the files of a model.
    event.preventDefault();
    event.stopPropagation();
    onPick(dropped);
  };
  return (
    <label
      onDragEnter={(event) => event.stopPropagation()}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={(event) => {
        event.stopPropagation();
        setOver(false);
      }}
      onDrop={drop}
      className={`flex cursor-pointer flex-col items-center gap-2 rounded-md border border-dashed px-4 py-6 text-center
        focus-within:outline-2 focus-within:outline-accent ${over ? "border-accent bg-accent/5" : "border-line"}`}
    >
      <input
        type="file"
        accept={accept}
        className="sr-only"
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          if (chosen) onPick(chosen);
        }}
      />
      {children}
      <span className="text-muted">{file ? file.name : label}</span>
    </label>
  );
}
