/** Requests to the server. Addresses are relative, so that a proxy may serve the page below a path. */

/** A refusal of the server, in its words; `status` is 0 where it did not answer. */
export class ApiError extends Error {
  constructor(status, text, code = "") {
    super(text);
    this.status = status;
    this.code = code;
  }
}

let onSignedOut = () => {};

/** Call this function when the server no longer knows who asks. */
export function whenSignedOut(callback) { onSignedOut = callback; }

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The dashboard does not answer. Is its program running?");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const body = await response.json().catch(() => ({}));
  const { code, text } = body.error || {};
  if (response.status === 401 && path !== "api/session") onSignedOut();
  throw new ApiError(response.status, text || `The dashboard answered with error ${response.status}.`, code);
}

export const get = (path, signal) => request(path, { signal });

export const post = (path, body) => request(path, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export const signIn = (secret) => post("api/session", secret);
export const signOut = () => request("api/session", { method: "DELETE" });

/** The path of one heater, such as `heater(1, "series", {span: "day"})`; null leaves a value out. */
export function heater(id, what, values = {}) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return `api/heaters/${id}/${what}${query && `?${query}`}`;
}
