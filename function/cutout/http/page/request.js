// One photo and its options → the requests that cut it out. The snippets are made of the same parts.

import { apiUrl, bytesText } from "./base.js";
import { account, apiKey } from "./key.js";
import { Fault, faultOf, jsonOf, send } from "./transfer.js";

const FORM_BYTES = 4_000; // what a multipart body has beside its files
const USUAL_MAX_BYTES = 4_600_000; // where the limits are not known yet
const LARGE_PIXELS = 1_000_000; // whose result as PNG may not fit into a reply
// A JPEG of the highest quality has a byte for each pixel, or more, and may not fit either.
const LARGE_COMPACT_PIXELS = 4_000_000;
const COMPACT = new Set(["jpg", "webp", "avif"]);

const filesIn = (options) => Object.values(options).filter((value) => value instanceof File);

// A request whose file cannot be read fails as one without a network does.
async function checkReadable(files) {
  for (const file of files) {
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Fault(
        `The browser cannot read ${file.name}. It is a folder, or the file has changed since it was chosen. Choose it again.`,
        { code: "unreadable_file" });
    }
  }
}

const requestBytes = () => account.limits?.max_request_bytes ?? USUAL_MAX_BYTES;

// Only the photo can go through S3.
function checkBackground(options) {
  for (const file of filesIn(options)) {
    if (file.size + FORM_BYTES <= requestBytes()) continue;
    throw new Fault(
      `The background ${file.name} has ${bytesText(file.size)}, and one request takes ${bytesText(requestBytes())}. `
        + "Choose a smaller picture.", { code: "invalid_bg_image" });
  }
}

// Tells how a photo goes: { large } where it does not fit into one request.
export function routeOf(file, options) {
  const bytes = [file, ...filesIn(options)].reduce((sum, one) => sum + one.size, FORM_BYTES);
  return { large: bytes > requestBytes(), bytes };
}

// Returns the fields of the request: the options that are set, and how the result shall come.
export function fieldsOf(options, { large = false, pixels = 0, usual = "auto" } = {}) {
  const fields = { ...options };
  const stores = (account.limits?.max_upload_bytes ?? 0) > 0;
  const compact = COMPACT.has(options.format) && options.channels !== "alpha"; // a matte is a PNG
  const heavy = large || pixels > (compact ? LARGE_COMPACT_PIXELS : LARGE_PIXELS);
  // A redirect to S3 would take the key with it and lose the headers that tell of the result.
  if (stores && heavy && (options.response ?? usual) === "auto") fields.response = "url";
  return fields;
}

function formOf(source, fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) form.append(name, value, value.name);
    else form.append(name, value);
  }
  form.append(...source);
  return form;
}

// Returns { blob, facts }. `tell(phase, share)` hears of "sending" and "working".
export async function cutOut(file, options, { tell, signal, pixels, usual }) {
  await checkReadable([file, ...filesIn(options)]);
  checkBackground(options);
  const { large, bytes } = routeOf(file, options);
  const started = performance.now();
  const source = large
    ? ["image_key", await upload(file, bytes, { tell, signal })]
    : ["image_file", file, file.name];
  if (large) tell("working"); // the photo is in S3, and the request beside it is short
  const fields = fieldsOf(options, { large, pixels, usual });
  const reply = await ask(formOf(source, fields), {
    signal,
    progress: large ? undefined : (share) => tell(share < 1 ? "sending" : "working", share),
  });
  tell("working");
  const facts = { ...headerFacts(reply), sent: large ? "by an upload to S3" : "in the request" };
  const result = isPicture(reply) ? { blob: reply.blob, facts } : await fetchResult(reply, facts, signal);
  return { blob: result.blob, facts: { ...result.facts, totalMs: performance.now() - started } };
}

// An answer that says it is good, and is not one of this service.
const strange = (reply) => new Fault(
  "The answer is not one of this service. A proxy or a sign-in page between this page and the service may have given it.",
  { code: "strange_answer", status: reply.status, requestId: reply.header("X-Request-Id") ?? "" });

async function ask(form, { signal, progress }) {
  const headers = { "x-api-key": apiKey(), Accept: "image/*, application/zip, */*;q=0.8" };
  const reply = await send(apiUrl("v2"), { headers, body: form, signal, progress });
  if (reply.status >= 400) throw await faultOf(reply);
  return reply;
}

const isPicture = (reply) => /^(image\/|application\/zip)/.test(reply.header("Content-Type") ?? "");

// Puts a photo that is too large for a request into S3; returns its image_key.
async function upload(file, bytes, { tell, signal }) {
  if (account.limits && !account.limits.max_upload_bytes) {
    throw new Fault(
      `The photo has ${bytesText(bytes)}, and one request takes ${bytesText(account.limits.max_request_bytes)}. ` +
        "Send a smaller file.", { code: "payload_too_large" });
  }
  const type = /^image\/[\w.+-]+$/.test(file.type) ? file.type : "application/octet-stream";
  const asked = await send(apiUrl("v2/uploads"), {
    headers: { "x-api-key": apiKey(), "Content-Type": "application/json" },
    body: JSON.stringify({ content_type: type }),
    signal,
  });
  if (asked.status >= 400) throw await faultOf(asked);
  const told = await jsonOf(asked);
  if (!told?.upload) throw strange(asked);
  const { upload: place, image_key: key, max_bytes: most } = told;
  if (file.size > most) {
    throw new Fault(`The photo has ${bytesText(file.size)}, and an upload takes ${bytesText(most)}.`, { code: "payload_too_large" });
  }
  const form = formOf(["file", file], place.fields);
  const kept = await sendToStorage(place.url, { body: form, signal, progress: (share) => tell("sending", share) });
  if (kept.status >= 400) throw new Fault(`S3 answered the upload with the status ${kept.status}.`, { status: kept.status });
  return key;
}

// As send(), to one of the deployment's buckets. A browser tells a page no reason why a request to
// another origin failed. The API itself was reached a moment before.
async function sendToStorage(url, request) {
  try {
    return await send(url, request);
  } catch (error) {
    if (error.code !== "no_connection" || !navigator.onLine) throw error;
    throw new Fault(
      "The browser could not exchange the file with S3, where large photos go. If smaller photos work, a firewall "
        + `or a browser extension may block ${new URL(url).host}.`, { code: error.code });
  }
}

// Follows a reply that is a link to the result.
async function fetchResult(reply, facts, signal) {
  const told = await jsonOf(reply);
  if (!told?.url) throw strange(reply);
  const got = await sendToStorage(told.url, { method: "GET", signal });
  if (got.status >= 400) throw new Fault(`S3 answered with the status ${got.status}.`, { status: got.status, requestId: told.request_id });
  return { blob: got.blob, facts: { ...facts, came: "by its URL" } };
}

function headerFacts(reply) {
  const number = (name) => {
    const text = reply.header(name);
    return text === null ? null : Number(text);
  };
  const box = Object.fromEntries(["Top", "Left", "Width", "Height"].map(
    (side) => [side.toLowerCase(), number(`X-Foreground-${side}`)]));
  const stages = [...(reply.header("Server-Timing") ?? "").matchAll(/([\w-]+);dur=([\d.]+)/g)];
  return {
    requestId: reply.header("X-Request-Id") ?? "",
    model: reply.header("X-Model") ?? "",
    coverage: number("X-Foreground-Coverage"),
    confidence: number("X-Matte-Confidence"),
    scale: number("X-Result-Scale"),
    box: box.width === null ? null : box,
    stages: stages.map(([, name, ms]) => [name, Number(ms)]),
    came: "in the reply",
  };
}
