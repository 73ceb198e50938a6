// The one place that talks to the server: JSON, forms, files and streams of events, with the key when there is one.

import { askForKey, currentKey } from "./key.js";
import { parseEvents } from "./sse.js";

const KEY_FIELD = "X-API-Key";

export class Problem extends Error {
  constructor({ status = 0, detail, code = "", request_id: requestId = "", report = null }) {
    super(detail);
    Object.assign(this, { status, code, requestId, report });
  }
}

export const isAbort = (error) => error?.name === "AbortError";

export async function get(path, options) {
  return (await request(path, options)).json();
}

export async function post(path, body, options) {
  return (await request(path, { ...options, method: "POST", body })).json();
}

export async function remove(path) {
  await request(path, { method: "DELETE" });
}

export async function text(path) {
  return (await request(path)).text();
}

// Saves what a path answers as a file of that name.
export async function download(path, name) {
  save(await (await request(path)).blob(), name);
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The events of a stream as `{id, type, data}`. Throws Problem, also for an `error` event without a program's result.
export async function* stream(path, body, { lastEventId, ...options } = {}) {
  const headers = { Accept: "text/event-stream", ...(lastEventId ? { "Last-Event-ID": lastEventId } : {}) };
  const answer = await request(path, { method: body === undefined ? "GET" : "POST", body, headers, ...options });
  yield* parseEvents(answer.body);
}

export async function request(path, options = {}) {
  for (;;) {
    const answer = await send(path, options);
    if (!(await wantsAnotherKey(answer))) return checked(answer);
    await askForKey(answer.status === 403);
  }
}

// A key that is right and may not do this is no wrong key.
async function wantsAnotherKey(answer) {
  if (answer.status !== 403) return answer.status === 401;
  const { field } = await answer
    .clone()
    .json()
    .catch(() => ({}));
  return field === KEY_FIELD;
}

async function send(path, { method = "GET", body, headers = {}, signal }) {
  const sent = { Accept: "application/json, application/problem+json", ...headers };
  const key = currentKey();
  if (key) sent["X-API-Key"] = key;
  const isForm = body instanceof FormData || body instanceof Blob;
  if (body !== undefined && !isForm) sent["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers: sent,
      body: isForm ? body : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem({ detail: "The server does not answer. Is it still running?", code: "unreachable" });
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: `The server answered ${answer.status}.` }));
  throw new Problem({ status: answer.status, ...problem });
}
