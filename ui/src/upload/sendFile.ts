// One file to the gateway, in parts, by the tus protocol: goes on where it was cut.
import { DetailedError, type PreviousUpload, Upload } from "tus-js-client";

import { authorization } from "../api/client";

export const ENDPOINT = "/admin/uploads";
/** Small enough for the proxies on the way. */
const PART_BYTES = 8 * 1024 * 1024;
/** A gateway that restarts is back within these. */
const RETRY_MS = [0, 1_000, 3_000, 5_000, 10_000];
/** The disk is full: an operator has to do something. */
const NO_ROOM = 507;

export interface FileToSend {
  model: string;
  path: string;
  file: File;
  onSent: (bytes: number) => void;
}

export interface Sending {
  /** Resolves once the file is there; rejects with the reason it is not, also when it is paused. */
  done: Promise<void>;
  /** Stop for now; sending the same file again goes on from there. */
  pause: () => void;
}

/** Begin, or go on with what an earlier try left, also of a page that was closed. */
export function sendFile(what: FileToSend): Sending {
  let upload: Upload | null = null;
  let paused = false;
  let end: (reason: Error) => void;
  const done = new Promise<void>((resolve, reject) => {
    end = reject;
    upload = new Upload(what.file, {
      endpoint: ENDPOINT,
      chunkSize: PART_BYTES,
      retryDelays: RETRY_MS,
      metadata: { model: what.model, path: what.path },
      fingerprint: () => Promise.resolve(fingerprint(what)),
      // A file that is whole is known as such until its model is finished.
      removeFingerprintOnSuccess: false,
      onBeforeRequest: (request) => {
        for (const [name, value] of Object.entries(authorization())) request.setHeader(name, value);
      },
      onShouldRetry: (error) => mayPass(error),
      onProgress: (sent) => what.onSent(sent),
      onSuccess: () => resolve(),
      onError: (error) => reject(new Error(reasonOf(error))),
    });
    const started = upload;
    void started.findPreviousUploads().then(([before]) => {
      if (before) started.resumeFromPreviousUpload(before);
      if (!paused) started.start();
    });
  });
  return {
    done,
    pause: () => {
      paused = true;
      void upload?.abort();
      end(new Error("paused"));
    },
  };
}

function fingerprint({ model, path, file }: Pick<FileToSend, "model" | "path" | "file">): string {
  return ["modelium", model, path, file.size, file.lastModified].join("\n");
}

/** Forget where a file was sent; `discard`: have the gateway throw away what it has of it. */
export async function forgetFile(what: Pick<FileToSend, "model" | "path" | "file">, discard: boolean): Promise<void> {
  const upload = new Upload(what.file, { endpoint: ENDPOINT, fingerprint: () => Promise.resolve(fingerprint(what)) });
  for (const before of await upload.findPreviousUploads()) {
    if (discard) await terminated(before);
    await upload.options.urlStorage?.removeUpload(before.urlStorageKey);
  }
}

/** What is gone already need not be thrown away. */
async function terminated({ uploadUrl }: PreviousUpload): Promise<void> {
  if (!uploadUrl) return;
  await Upload.terminate(uploadUrl, { headers: authorization(), retryDelays: [] }).catch(() => undefined);
}

/** Whether it may be over after a while: a cut line, a gateway that restarts, another writer. */
function mayPass(error: DetailedError): boolean {
  const status = error.originalResponse?.getStatus() ?? 0;
  if (status === 423 || (status === 409 && error.originalRequest.getMethod() === "PATCH")) return true;
  return status === 0 || (status >= 500 && status !== NO_ROOM);
}

/** The gateway's own words, where it answered. */
function reasonOf(error: Error): string {
  const response = error instanceof DetailedError ? error.originalResponse : null;
  if (!response) return "The gateway does not answer.";
  try {
    const body = JSON.parse(response.getBody()) as { error?: { message?: string } };
    if (body.error?.message) return body.error.message;
  } catch {
    // A proxy's answer, perhaps.
  }
  return `The gateway answered ${response.getStatus()}: ${response.getBody().slice(0, 200)}`;
}
