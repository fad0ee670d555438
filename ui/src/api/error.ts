/** An answer that is no success, as the gateway words it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds after which it is worth another try. */
    readonly retryAfterS: number | null = null,
    readonly body: unknown = null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Reads the error out of a response. */
  static async of(response: Response): Promise<ApiError> {
    const text = await response.text();
    let body: unknown = null;
    try {
      body = JSON.parse(text);
    } catch {
      // A proxy on the way, perhaps: its text is no JSON.
    }
    const error = (body as { error?: string | { message?: string; code?: string | null } } | null)?.error;
    // The Open Inference Protocol has a text in its place.
    const told = typeof error === "string" ? { message: error, code: "" } : error;
    const message = told?.message ?? `${response.status} ${response.statusText}: ${text.slice(0, 200)}`;
    const after = Number(response.headers.get("retry-after"));
    return new ApiError(response.status, told?.code ?? "", message, after > 0 ? after : null, body);
  }
}

/** One sentence about whatever was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof TypeError) return "The gateway does not answer.";
  return error instanceof Error ? error.message : String(error);
}
