// The uploads of this page: each the files of one model, sent one after another.
import { create } from "zustand";

import { send } from "../api/client";
import { sentence } from "../api/error";
import { type ModelFiles, type Piece, totalBytes } from "./pieces";
import type { Sending } from "./sendFile";

export type UploadState = "asking" | "sending" | "paused" | "failed" | "finishing" | "done";

export interface ModelUpload {
  id: number;
  model: string;
  pieces: Piece[];
  totalBytes: number;
  sentBytes: number;
  /** The file that is being sent. */
  path: string;
  state: UploadState;
  problem: string;
}

export const useUploads = create<{ uploads: ModelUpload[] }>(() => ({ uploads: [] }));

/** Fetched when there is something to send. */
const sender = () => import("./sendFile");

const sendings = new Map<number, Sending>();
let newest = 0;

const find = (id: number) => useUploads.getState().uploads.find((upload) => upload.id === id);

function put(id: number, change: Partial<ModelUpload>): void {
  useUploads.setState(({ uploads }) => ({ uploads: uploads.map((old) => (old.id === id ? { ...old, ...change } : old)) }));
}

/** Ask whether, and under which name, these are to be sent. */
export function offer({ model, pieces }: ModelFiles): void {
  const sizes = { totalBytes: totalBytes(pieces), sentBytes: 0 };
  const upload: ModelUpload = { id: ++newest, model, pieces, ...sizes, path: "", state: "asking", problem: "" };
  useUploads.setState(({ uploads }) => ({ uploads: [...uploads, upload] }));
}

/** Send, or go on sending. */
export async function start(id: number, model?: string): Promise<void> {
  const upload = find(id);
  if (!upload || upload.state === "sending") return;
  put(id, { state: "sending", problem: "", ...(model === undefined ? {} : { model }) });
  try {
    if (!(await sendAll(id))) return;
    put(id, { state: "finishing", path: "" });
    await finish(find(id)!);
    put(id, { state: "done" });
  } catch (error) {
    if (find(id)?.state !== "paused") put(id, { state: "failed", problem: sentence(error) });
  }
}

/** False: it was paused or discarded meanwhile. */
async function sendAll(id: number): Promise<boolean> {
  const { sendFile } = await sender();
  const { model, pieces } = find(id)!;
  let before = 0;
  for (const { path, file } of pieces) {
    put(id, { path });
    const sending = sendFile({ model, path, file, onSent: (bytes) => put(id, { sentBytes: before + bytes }) });
    sendings.set(id, sending);
    await sending.done;
    if (find(id)?.state !== "sending") return false;
    before += file.size;
    put(id, { sentBytes: before });
  }
  sendings.delete(id);
  return true;
}

/** Its folder becomes visible to the watcher, all at once. */
async function finish({ model, pieces }: ModelUpload): Promise<void> {
  const { ENDPOINT, forgetFile } = await sender();
  await send(`${ENDPOINT}/models/${encodeURIComponent(model)}/finish`, { method: "POST" });
  for (const { path, file } of pieces) await forgetFile({ model, path, file }, false);
}

export function pause(id: number): void {
  put(id, { state: "paused" });
  sendings.get(id)?.pause();
  sendings.delete(id);
}

/** Take it from the list; what was sent of an unfinished one is thrown away. */
export async function discard(id: number): Promise<void> {
  const upload = find(id);
  if (!upload) return;
  if (upload.state === "sending") pause(id);
  useUploads.setState(({ uploads }) => ({ uploads: uploads.filter((other) => other.id !== id) }));
  if (upload.state === "done" || upload.state === "asking") return;
  const { forgetFile } = await sender();
  for (const { path, file } of upload.pieces) await forgetFile({ model: upload.model, path, file }, true);
}
