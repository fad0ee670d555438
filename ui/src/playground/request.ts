// One request of the playground: as it is sent, and as curl and Python would send it.

/** Exactly one of `json`, `form` and `file` is its body. */
export interface PlayRequest {
  path: string;
  json?: Record<string, unknown>;
  form?: { fields: Record<string, string>; file: File };
  file?: File;
}

/** What `fetch` needs for it, but the key. */
export function asFetch(request: PlayRequest): RequestInit {
  if (request.form) {
    const form = new FormData();
    for (const [name, value] of Object.entries(request.form.fields)) form.append(name, value);
    form.append("file", request.form.file, request.form.file.name);
    return { method: "POST", body: form };
  }
  if (request.file) {
    const type = request.file.type || "application/octet-stream";
    return { method: "POST", body: request.file, headers: { "content-type": type } };
  }
  const headers = { "content-type": "application/json" };
  return { method: "POST", body: JSON.stringify(request.json ?? {}), headers };
}
