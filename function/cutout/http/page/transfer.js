// Requests with progress, which fetch() does not tell: one call, one reply or one Fault.

// Why there is no result, in words for a person; `retryAfter` is in seconds.
export class Fault extends Error {
  constructor(message, { code = "", status = 0, requestId = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { code, status, requestId, retryAfter });
  }
}

const PATIENCE_MS = 90_000;
const DEFAULT_WAIT_S = 2;

// Returns { status, header(name), blob }; progress is called with 0…1 while the body is sent.
export function send(url, { method = "POST", headers = {}, body = null, progress, signal, patience = PATIENCE_MS }) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted(); // a request that is aborted before send() is sent all the same
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    let silence;
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        reject(new Fault(`The service did not answer within ${patience / 1000} seconds.`, { code: "no_answer" }));
        request.abort();
      }, patience);
    };
    request.upload.onprogress = (event) => {
      listen();
      if (event.lengthComputable && progress) progress(event.loaded / event.total);
    };
    request.onprogress = listen;
    request.onloadend = () => clearTimeout(silence);
    request.onload = () => {
      const header = (name) => request.getResponseHeader(name);
      resolve({ status: request.status, header, blob: request.response });
    };
    request.onerror = () => {
      const words = navigator.onLine ? "The service cannot be reached." : "This device is offline.";
      reject(new Fault(words, { code: "no_connection" }));
    };
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    listen();
    request.send(body);
  });
}

// Returns the Fault that a reply tells. What is between the page and the service has other shapes:
// API Gateway's own is { message }, and a proxy answers HTML.
export async function faultOf(reply) {
  const facts = { status: reply.status, requestId: reply.header("X-Request-Id") ?? "" };
  if (reply.status === 429) facts.retryAfter = Number(reply.header("Retry-After")) || DEFAULT_WAIT_S;
  const told = await jsonOf(reply);
  if (typeof told?.error?.message === "string") {
    const { message, code, request_id: requestId = facts.requestId } = told.error;
    // Others write the status there, as a number.
    return new Fault(message, { ...facts, requestId, code: typeof code === "string" ? code : "" });
  }
  const words = typeof told?.message === "string" ? `: ${told.message}` : "";
  return new Fault(`The service answered with the status ${reply.status}${words}.`, facts);
}

// Returns the JSON of a reply, or null where it has none.
export async function jsonOf(reply) {
  try {
    return JSON.parse(await reply.blob.text());
  } catch {
    return null;
  }
}

// Waits; ends early, with AbortError, where the signal says so.
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("Cancelled", "AbortError"));
    }, { once: true });
  });
}
