// The selected photo: its result on the stage in each view, its facts, and why it failed.

import { announce, byId, element } from "./base.js";
import { backdropOption } from "./backdrop.js";
import { factsOf, faultView } from "./facts.js";
import { tellOptionFault, usualResponse } from "./options.js";
import { start } from "./queue.js";
import { cutOut } from "./request.js";
import { say, showPictures } from "./viewer.js";

const MOVES = ["crop", "crop_margin", "scale", "position"]; // the result then lies elsewhere

export const selection = { job: null };

const chosenView = () => document.querySelector('input[name="view"]:checked').value;

const comparable = (job, size) => job.shown && size && !MOVES.some((name) => job.result.options[name])
  && Math.abs(job.shown[0] / job.shown[1] - size[0] / size[1]) < 0.02;

function sizeOf(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => [image.naturalWidth, image.naturalHeight], () => null);
}

function showWhetherBusy(job) {
  byId("stage").classList.toggle("busy", ["sending", "working"].includes(job?.state));
}

// Shows the selected photo as it is now.
export async function refresh() {
  const { job } = selection;
  showWhetherBusy(job);
  byId("download").disabled = !job?.result;
  tellOptionFault(job?.fault);
  showKeepBackground();
  if (!job) return;
  if (job.result) await showResult(job);
  else if (job.fault) {
    byId("facts").replaceChildren();
    say(...faultView(job.fault, () => start(job)));
  } else await showPhoto(job);
}

export function showKeepBackground() {
  byId("keep-background").hidden = !selection.job?.result || !backdropOption();
}

async function showPhoto(job) {
  byId("facts").replaceChildren();
  const shown = job.shown && (await showPictures({ before: job.before, alt: `${job.file.name}, the original` }));
  if (shown || selection.job !== job || job.result) return;
  say(job.state === "cancelled" ? "Cancelled." : `${job.file.name} is on its way. This browser shows its result.`);
}

// The last result stays in sight when a later attempt has failed; why it failed is told beneath.
async function showResult(job) {
  const { result, fault } = job;
  const size = (result.size ??= await sizeOf(result.url));
  if (selection.job !== job || job.result !== result) return;
  const compares = comparable(job, size);
  allow("compare", compares);
  allow("original", Boolean(job.shown));
  allow("matte", Boolean(size));
  byId("facts").replaceChildren(...(fault ? laterFault(job) : factsOf(job, size).filter(Boolean)));
  await showView(job, compares);
}

function laterFault(job) {
  const [message, ...rest] = faultView(job.fault, () => start(job));
  return [message, element("p", { className: "hint" }, "The picture is the last result, which has other options."), ...rest];
}

function allow(name, allowed) {
  const choice = document.querySelector(`input[name="view"][value="${name}"]`);
  choice.disabled = !allowed;
  if (!allowed && choice.checked) document.querySelector('input[name="view"][value="result"]').checked = true;
}

async function showView(job, compares) {
  const { file, result, before } = job;
  const name = chosenView();
  const { box } = result.facts;
  if (name === "original") await showPictures({ before, alt: `${file.name}, the original` });
  else if (name === "matte") await showMatte(job);
  else if (name === "compare" && compares) await showPictures({ after: result.url, before, compares, box, alt: `${file.name}, cut out` });
  else await showPictures({ after: result.url, box, alt: `${file.name}, cut out` });
}

// The result keeps the promise of its matte's URL, so that the service is asked for it at most once.
async function showMatte(job) {
  const { result } = job;
  const isShown = () => selection.job === job && job.result === result && chosenView() === "matte";
  result.matte ??= matteOf(job, result);
  // The stage may hold another photo, which would be taken for this one while the matte is on its way.
  showPictures({ after: result.url, box: result.facts.box, alt: `${job.file.name}, cut out` });
  let url;
  byId("stage").classList.add("busy");
  try {
    url = await result.matte;
  } catch (error) {
    result.matte = null;
    if (isShown()) say(...faultView(error, refresh));
    return;
  } finally {
    if (isShown()) showWhetherBusy(job);
  }
  if (isShown()) {
    await showPictures({ after: url, box: result.facts.box, alt: `${job.file.name}, the matte: white is the subject` });
  }
}

// The matte is the alpha of a transparent result, unless a shadow is in it as well. Of all others the
// service is asked for the matte.
async function matteOf(job, result) {
  const own = result.options.shadow_type === "drop" ? null : await alphaOf(result.url);
  return own ?? askForMatte(job, result);
}

async function alphaOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = element("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const picture = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = picture;
  let opaque = true;
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    if (alpha < 255) opaque = false;
    data[at] = data[at + 1] = data[at + 2] = alpha;
    data[at + 3] = 255;
  }
  if (opaque) return null;
  context.putImageData(picture, 0, 0);
  const blob = await new Promise((done) => { canvas.toBlob(done); });
  return URL.createObjectURL(blob);
}

async function askForMatte(job, { options, url }) {
  if (options.channels === "alpha") return url;
  announce("Asks the service for the matte.");
  const wanted = { ...options, channels: "alpha" };
  for (const name of Object.keys(wanted)) if (name.startsWith("bg_")) delete wanted[name];
  const { blob } = await cutOut(job.file, wanted, { tell() {}, pixels: job.pixels, usual: usualResponse() });
  return URL.createObjectURL(blob);
}
