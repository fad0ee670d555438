import { useEffect, useRef, useState } from "react";

import { sentence } from "../api/error";
import { say } from "../components/toasts";
import { asModels, droppedPieces, type Piece } from "./pieces";
import { UploadCard } from "./UploadCard";
import { offer, useUploads } from "./uploads";

/** Takes what is dropped anywhere onto the page; only there where uploads are on. */
export function UploadDrop() {
  const over = useDrop();
  const uploads = useUploads((state) => state.uploads);
  useStayWhileSending(uploads.some(({ state }) => state === "sending" || state === "finishing"));
  return (
    <>
      {over && (
        <div className="pointer-events-none fixed inset-0 z-40 grid place-items-center bg-page/80 p-6">
          <p className="rounded-lg border-2 border-dashed border-accent bg-surface px-8 py-6 text-base font-medium">
            Drop the folder of a model, or its file, to upload it
          </p>
        </div>
      )}
      {uploads.length > 0 && (
        <section
          aria-label="Uploads"
          className="fixed right-4 bottom-4 left-4 z-20 flex max-h-[70dvh] flex-col gap-2 overflow-y-auto sm:left-auto sm:w-96"
        >
          {uploads.map((upload) => (
            <UploadCard key={upload.id} upload={upload} />
          ))}
        </section>
      )}
    </>
  );
}

/** Ask about each model that is among the files. */
export function offerAll(pieces: readonly Piece[]): void {
  if (pieces.length === 0) say("bad", "There is no file in what was dropped.");
  for (const model of asModels(pieces)) offer(model);
}

/** Whether files are held over the page. */
function useDrop(): boolean {
  const [over, setOver] = useState(false);
  const depth = useRef(0);
  useEffect(() => {
    const stop = new AbortController();
    const listen = <Kind extends "dragenter" | "dragover" | "dragleave" | "drop">(
      kind: Kind,
      handle: (event: DragEvent) => void,
    ) => window.addEventListener(kind, (event) => hasFiles(event) && handle(event), { signal: stop.signal });
    // Each element that is passed is entered and left: the page is left with the last of them.
    const move = (by: number) => {
      depth.current = Math.max(0, depth.current + by);
      setOver(depth.current > 0);
    };
    listen("dragenter", () => move(1));
    listen("dragleave", () => move(-1));
    listen("dragover", (event) => event.preventDefault());
    listen("drop", (event) => {
      depth.current = 0;
      setOver(false);
      if (event.defaultPrevented) return;
      event.preventDefault();
      droppedPieces(event.dataTransfer!).then(offerAll, (error: unknown) => say("bad", sentence(error)));
    });
    return () => stop.abort();
  }, []);
  return over;
}

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;

/** A browser asks before it leaves a page that says so. */
function useStayWhileSending(sending: boolean): void {
  useEffect(() => {
    if (!sending) return;
    const stay = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", stay);
    return () => window.removeEventListener("beforeunload", stay);
  }, [sending]);
}
