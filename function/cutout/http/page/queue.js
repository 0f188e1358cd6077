// The photos: three at a time, each with its progress; a photo that was told to wait comes again.

import { announce, bytesText, byId, element } from "./base.js";
import { apiKey, askForKey } from "./key.js";
import { cutOut } from "./request.js";
import { Fault, pause } from "./transfer.js";

const AT_ONCE = 3;
const MOST_TRIES = 6;
// A file system takes names of 255 bytes, of which "-cutout.webp" and a number in the zip are 20 at most.
const STEM_BYTES = 235;
// One transparent pixel. Chromium takes shorter files, without the pixel's data, for broken ones.
const NO_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
const ENDINGS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif",
  "image/bmp": "bmp", "image/gif": "gif", "image/tiff": "tiff", "application/zip": "zip" };

export const jobs = [];
let nextId = 1;
let hooks = { pick() {}, change() {}, options: () => ({}), usual: () => "auto" };

export function startQueue(given) {
  hooks = { ...hooks, ...given };
  addEventListener("online", () => {
    for (const job of jobs) if (job.fault?.code === "no_connection") start(job);
  });
}

export function addFiles(files) {
  const added = files.map((file) => {
    const job = { id: nextId, file, options: hooks.options(), state: "new", share: 0, tries: 0, result: null, fault: null };
    nextId += 1;
    job.before = URL.createObjectURL(file);
    job.row = makeRow(job);
    jobs.push(job);
    byId("items").append(job.row.item);
    measure(job);
    return job;
  });
  if (!apiKey() && added.length) askForKey("Enter your API key to begin");
  for (const job of added) start(job);
  return added;
}

// Finds out what the browser can show of a photo, and its size in pixels.
async function measure(job) {
  const image = new Image();
  image.src = job.before;
  job.measured = image.decode().then(() => {
    job.pixels = image.naturalWidth * image.naturalHeight;
    job.shown = [image.naturalWidth, image.naturalHeight];
    job.row.thumb.src = job.before;
  }, () => {
    job.pixels = Infinity; // Nobody knows how many, so the result may be large.
    job.row.item.classList.add("unseen");
  }).then(() => hooks.change(job));
}

// Begins anew, whatever the photo was doing.
export function start(job) {
  stop(job);
  Object.assign(job, { fault: null, share: 0, tries: 0, options: hooks.options() });
  become(job, "waiting");
  run();
}

export function runAll() {
  for (const job of jobs) start(job);
}

// Starts what may run now. A job without a key waits for it.
export function run() {
  const busy = jobs.filter((job) => job.control).length;
  const waiting = jobs.filter((job) => job.state === "waiting" && !job.control);
  if (!apiKey()) {
    for (const job of waiting) show(job, "Waits for the API key");
    return;
  }
  for (const job of waiting.slice(0, Math.max(0, AT_ONCE - busy))) work(job);
}

async function work(job) {
  const control = new AbortController();
  job.control = control;
  become(job, "sending");
  try {
    await job.measured;
    const result = await tryAgain(job, control.signal);
    if (job.control !== control) return;
    setResult(job, result);
    become(job, "done");
    announce(`${job.file.name} is cut out.`);
  } catch (error) {
    if (job.control !== control) return;
    fail(job, error);
  } finally {
    if (job.control === control) {
      job.control = null;
      hooks.change(job);
      run();
    }
  }
}

function fail(job, error) {
  job.fault = error instanceof Fault ? error : new Fault(`The page itself failed: ${error.message}`);
  become(job, "failed");
  announce(`${job.file.name} failed: ${job.fault.message}`);
  if (job.fault.code === "invalid_api_key") askForKey("This key is not accepted");
}

// Cuts out; where the service has no time, waits as long as it says, and asks again.
async function tryAgain(job, signal) {
  for (;;) {
    job.tries += 1;
    try {
      const tell = (phase, share) => {
        job.share = share ?? job.share;
        become(job, phase);
      };
      return await cutOut(job.file, job.options, { tell, signal, pixels: job.pixels, usual: hooks.usual() });
    } catch (error) {
      if (!error.retryAfter || error.code === "quota_exceeded" || job.tries >= MOST_TRIES) throw error;
      await countDown(job, error.retryAfter, signal);
    }
  }
}

async function countDown(job, seconds, signal) {
  become(job, "paused");
  for (let left = Math.ceil(seconds); left > 0; left -= 1) {
    show(job, `Too many requests. Tries again in ${left} s`);
    await pause(1000, signal);
  }
}

function setResult(job, { blob, facts }) {
  forget(job.result);
  const ending = ENDINGS[blob.type.split(";")[0]] ?? "bin";
  const stem = shortened(job.file.name.replace(/\.[^.]*$/, "")) || "photo";
  const suffix = job.options.channels === "alpha" ? "matte" : "cutout";
  job.result = { blob, facts, ending, options: job.options, url: URL.createObjectURL(blob), name: `${stem}-${suffix}.${ending}` };
}

// Returns what STEM_BYTES take of a name in UTF-8, and no half of a letter.
function shortened(stem) {
  const letters = [...stem];
  while (new Blob([letters.join("")]).size > STEM_BYTES) letters.pop();
  return letters.join("");
}

// Gives the memory of a result back, and that of its matte, which may still be on its way.
function forget(result) {
  if (!result) return;
  URL.revokeObjectURL(result.url);
  result.matte?.then((url) => URL.revokeObjectURL(url), () => { /* It has none. */ });
}

// Ends the work on a photo, of which nothing is heard any more.
function stop(job) {
  job.control?.abort();
  job.control = null;
}

export function cancel(job) {
  stop(job);
  become(job, "cancelled");
  run();
}

export function remove(job) {
  stop(job);
  URL.revokeObjectURL(job.before);
  forget(job.result);
  const hadFocus = job.row.item.contains(document.activeElement);
  job.row.item.remove();
  const at = jobs.indexOf(job);
  jobs.splice(at, 1);
  if (hadFocus && jobs.length) (jobs[at] ?? jobs[at - 1]).row.pick.focus();
  hooks.change(job);
  run();
}

const WORDS = { waiting: "Waits", sending: "Sends", working: "Cuts out…", paused: "", cancelled: "Cancelled" };

function become(job, state) {
  const changed = job.state !== state;
  job.state = state;
  const { row } = job;
  const focused = document.activeElement;
  row.item.dataset.state = state;
  row.progress.hidden = !["waiting", "sending", "working", "paused"].includes(state);
  if (state === "sending") row.progress.value = job.share;
  else row.progress.removeAttribute("value");
  const active = ["waiting", "sending", "working", "paused"].includes(state);
  row.cancel.hidden = !active;
  row.retry.hidden = !["failed", "cancelled"].includes(state);
  row.save.hidden = !job.result || active; // of a photo whose last attempt failed, the result before
  if (focused.hidden && row.item.contains(focused)) row.pick.focus();
  if (state === "done") show(job, `${job.result.ending.toUpperCase()}, ${bytesText(job.result.blob.size)}`);
  else if (state === "failed") show(job, job.fault.message);
  else if (state === "sending") show(job, `Sends ${Math.round(job.share * 100)} %`);
  else show(job, WORDS[state]);
  if (state === "done" && row.item.classList.contains("unseen")) row.thumb.src = job.result.url;
  if (changed) hooks.change(job);
}

function show(job, text) {
  job.row.status.textContent = text;
}

function makeRow(job) {
  const { name } = job.file;
  const thumb = element("img", { alt: "", className: "thumb", src: NO_PICTURE });
  const status = element("span", { className: "status" });
  const progress = element("progress", { max: 1, ariaLabel: `Progress of ${name}` });
  const pick = element("button", { type: "button", className: "pick", click: () => hooks.pick(job) },
    thumb, element("span", { className: "name" }, name), status);
  const action = (text, run, hidden = true) => element("button", {
    type: "button", className: "quiet small", ariaLabel: `${text} ${name}`, hidden, click: run }, text);
  const cancelling = action("Cancel", () => cancel(job));
  const retry = action("Retry", () => start(job));
  const save = action("Download", () => download(job.result.blob, job.result.name));
  const drop = action("Remove", () => remove(job), false);
  const item = element("li", {}, pick, progress, element("div", { className: "buttons" }, save, retry, cancelling, drop));
  return { item, pick, thumb, status, progress, cancel: cancelling, retry, save };
}

export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
