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
  let content;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
    content = await response.text(); // may be cut off
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The dashboard does not answer. Is its program running?");
  }
  const body = decoded(content);
  if (response.ok && body !== undefined) return body;
  if (response.ok) throw new ApiError(0, "This address answers, but not as the dashboard does. Does something else serve it now?");
  const { code, text } = (body && body.error) || {};
  if (response.status === 401 && path !== "api/session") onSignedOut();
  throw new ApiError(response.status, text || `The dashboard answered with error ${response.status}.`, code);
}

/** The value of an answer; undefined where it is no JSON, as of a proxy or a page to sign in to a network. */
function decoded(content) {
  if (!content) return null;
  try {
    return JSON.parse(content);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
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
