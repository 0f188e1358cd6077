// The playground: photos in, cutouts out. This file joins the parts.

import { announce, apiUrl, byId, bytesText, element, linkPages } from "./base.js";
import { account, apiKey, onKey, startKey } from "./key.js";
import { makeField, resolve } from "./fields.js";
import { cutOut, fieldsOf, routeOf } from "./request.js";
import { snippet } from "./snippets.js";
import { zip } from "./zip.js";
import { addFiles, download, jobs, remove, run, runAll, start, startQueue } from "./queue.js";
import { say, showBox, showPictures, startViewer } from "./viewer.js";
import { factsOf, faultView } from "./facts.js";

const FIRST = ["format", "bg_color", "size", "crop", "shadow_type"];
const MOVES = ["crop", "crop_margin", "scale", "position"]; // the result then lies elsewhere
let fields = [];
let selected = null;

const checked = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

// ---- options

function options() {
  const given = fields.map((field) => [field.name, field.read()]);
  return Object.fromEntries(given.filter(([, value]) => value !== null));
}

const usualResponse = () => fields.find((field) => field.name === "response")?.schema.default ?? "auto";

async function readOptions() {
  let description;
  try {
    const reply = await fetch(apiUrl("openapi.json"));
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    description = await reply.json();
  } catch (error) {
    byId("options-first").replaceChildren(
      element("p", { className: "fault" }, `The options cannot be read: ${error.message}.`),
      element("button", { type: "button", className: "quiet", click: readOptions }, "Try again"));
    return;
  }
  const body = description.paths["/v2"].post.requestBody.content["multipart/form-data"].schema;
  const { properties } = resolve(description, body);
  fields = Object.entries(properties)
    .filter(([name]) => name !== "image_file")
    .map(([name, schema]) => makeField(name, resolve(description, schema)));
  const isFirst = (field) => FIRST.includes(field.name);
  const rest = fields.filter((field) => !isFirst(field));
  byId("options-first").replaceChildren(...FIRST.flatMap((name) => fields.filter((field) => field.name === name)).map((field) => field.row));
  const more = byId("options-more");
  more.querySelector("summary").textContent = `All options (${rest.length} more)`;
  more.querySelector("div").replaceChildren(...rest.map((field) => field.row));
  more.hidden = rest.length === 0;
  showCode();
}

function same(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name]);
}

function optionsChanged() {
  const now = options();
  byId("apply").disabled = !jobs.some((job) => !same(job.options, now));
  byId("apply").textContent = jobs.length > 1 ? `Apply to ${jobs.length} photos` : "Apply";
  showCode();
}

// Says at the buttons what is wrong with an option, and marks its field.
function tellOptionFault(fault) {
  const name = fault?.code.startsWith("invalid_") ? fault.code.slice("invalid_".length) : null;
  const field = name && (fields.find((one) => one.name === name) ?? fields.find((one) => one.name.startsWith(`${name}_`)));
  for (const one of fields) one.input.setAttribute("aria-invalid", String(one === field));
  byId("options-fault").textContent = field ? fault.message : "";
  byId("options-fault").hidden = !field;
  if (!field) return;
  byId("options-more").open ||= byId("options-more").contains(field.input);
  field.row.scrollIntoView({ block: "nearest" });
}

// ---- the selected photo

function select(job) {
  selected = job;
  for (const one of jobs) one.row.pick.setAttribute("aria-current", one === job ? "true" : "false");
  refresh();
}

// A photo that a person picks comes into sight, where the stage is above the window.
function pick(job) {
  select(job);
  byId("views").scrollIntoView({ block: "nearest" });
}

const comparable = (job, size) => job.shown && size && !MOVES.some((name) => job.result.options[name])
  && Math.abs(job.shown[0] / job.shown[1] - size[0] / size[1]) < 0.02;

function sizeOf(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => [image.naturalWidth, image.naturalHeight], () => null);
}

async function refresh() {
  const job = selected;
  const facts = byId("facts");
  showCode();
  byId("download").disabled = !job?.result || Boolean(job.fault);
  tellOptionFault(job?.fault);
  if (!job) return;
  const { result, fault } = job;
  if (fault) {
    say(...faultView(fault, () => start(job)));
    facts.replaceChildren();
    return;
  }
  if (!result) {
    facts.replaceChildren();
    const shown = job.shown && (await showPictures({ before: job.before, alt: `${job.file.name}, the original` }));
    if (!shown && selected === job && !job.result) say(job.state === "cancelled" ? "Cancelled." : `${job.file.name} is on its way. This browser shows its result.`);
    return;
  }
  const size = (result.size ??= await sizeOf(result.url));
  if (selected !== job || job.result !== result) return;
  const compares = comparable(job, size);
  allow("compare", compares);
  allow("original", Boolean(job.shown));
  allow("matte", Boolean(size));
  facts.replaceChildren(...factsOf(job, size).filter(Boolean));
  byId("keep-background").hidden = !canKeepBackground();
  await showView(job, compares);
}

function allow(name, allowed) {
  const choice = document.querySelector(`input[name="view"][value="${name}"]`);
  choice.disabled = !allowed;
  if (!allowed && choice.checked) document.querySelector('input[name="view"][value="result"]').checked = true;
}

async function showView(job, compares) {
  const { file, result, before } = job;
  const name = checked("view");
  const { box } = result.facts;
  if (name === "original") await showPictures({ before, alt: `${file.name}, the original` });
  else if (name === "matte") await showMatte(job);
  else if (name === "compare" && compares) await showPictures({ after: result.url, before, compares, box, alt: `${file.name}, cut out` });
  else await showPictures({ after: result.url, box, alt: `${file.name}, cut out` });
}

// The matte is the alpha of a transparent result. Of an opaque one the service is asked for it.
async function showMatte(job) {
  const { result } = job;
  try {
    job.matte ??= (await alphaOf(result.url)) ?? (await askForMatte(job));
  } catch (error) {
    if (selected === job) say(...faultView(error, refresh));
    return;
  }
  if (selected === job && checked("view") === "matte") {
    await showPictures({ after: job.matte, box: result.facts.box, alt: `${job.file.name}, the matte: white is the subject` });
  }
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

async function askForMatte(job) {
  if (job.result.options.channels === "alpha") return job.result.url;
  announce("Asks the service for the matte.");
  const wanted = { ...job.options, channels: "alpha" };
  for (const name of Object.keys(wanted)) if (name.startsWith("bg_")) delete wanted[name];
  const { blob } = await cutOut(job.file, wanted, { tell() {}, usual: usualResponse() });
  return URL.createObjectURL(blob);
}

// ---- what the cutout is shown on

let pictureUrl = "";

function canKeepBackground() {
  const on = checked("on");
  return on !== "checker" && (on !== "picture" || byId("picture").files.length > 0);
}

function showBackdrop() {
  const on = checked("on");
  const backdrop = byId("backdrop");
  backdrop.className = on === "checker" ? "backdrop checker" : "backdrop";
  byId("on-color").hidden = on !== "color";
  backdrop.style.backgroundColor = on === "color" ? byId("on-color").value : on.startsWith("#") ? on : "";
  backdrop.style.backgroundImage = on === "picture" && pictureUrl ? `url("${pictureUrl}")` : "";
  byId("keep-background").hidden = !selected?.result || !canKeepBackground();
}

function keepBackground() {
  const on = checked("on");
  for (const field of fields) if (field.name.startsWith("bg_")) field.write(null);
  const set = (name, value) => fields.find((field) => field.name === name)?.write(value);
  if (on === "picture") set("bg_image_file", byId("picture").files[0]);
  else set("bg_color", on === "color" ? byId("on-color").value : on);
  optionsChanged();
  runAll();
}

// ---- code

function showCode() {
  const given = options();
  const file = selected?.file ?? new File([], "photo.jpg");
  const { large } = routeOf(file, given);
  const sent = fieldsOf(given, { large, pixels: selected?.pixels, usual: usualResponse() });
  const extension = given.channels === "alpha" ? "png" : { auto: "png" }[given.format] ?? given.format ?? "png";
  byId("code").textContent = snippet(checked("language"), { fileName: file.name, fields: sent, large, extension });
}

async function copyCode() {
  const text = byId("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    announce("The code is copied.");
    byId("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("code"));
    announce("The code is selected: copy it with the keyboard.");
    byId("copy").textContent = "Selected";
  }
  setTimeout(() => { byId("copy").textContent = "Copy"; }, 2000);
}

// ---- photos come in

function take(files) {
  const photos = [...files];
  if (!photos.length) return;
  byId("welcome").hidden = true;
  byId("work").hidden = false;
  document.body.classList.add("working");
  const [first] = addFiles(photos);
  announce(photos.length === 1 ? `${first.file.name} is added.` : `${photos.length} photos are added.`);
  select(first);
  optionsChanged();
}

async function takeSample(button) {
  // The picture is a data: URL inside the page, which needs no request.
  const { src } = button.querySelector("img");
  const [, type, base64] = /^data:([^;]+);base64,(.*)$/.exec(src);
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  take([new File([bytes], button.dataset.sample, { type })]);
}

function startIntake() {
  for (const button of document.querySelectorAll("[data-pick]")) button.addEventListener("click", () => byId("files").click());
  for (const button of document.querySelectorAll("[data-camera]")) button.addEventListener("click", () => byId("camera").click());
  for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", () => takeSample(button));
  for (const id of ["files", "camera"]) {
    byId(id).addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = "";
    });
  }
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    byId("veil").hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("veil").hidden = true; });
  addEventListener("drop", (event) => {
    byId("veil").hidden = true;
    if (!holdsFiles(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
}

// ---- everything together

function jobChanged(job) {
  const done = jobs.filter((one) => one.state === "done").length;
  byId("download-all").disabled = done < 1;
  byId("queue-title").textContent = jobs.length > 1 ? `Photos: ${done} of ${jobs.length} done` : "Photos";
  if (job === selected && !jobs.includes(job)) {
    if (jobs.length) select(jobs[0]);
    else leave();
  } else if (job === selected && ["done", "failed", "cancelled", "waiting"].includes(job.state)) {
    refresh();
  }
  byId("stage").classList.toggle("busy", ["sending", "working"].includes(selected?.state));
}

function leave() {
  selected = null;
  byId("work").hidden = true;
  byId("welcome").hidden = false;
  document.body.classList.remove("working");
  document.querySelector("[data-pick]").focus();
}

async function downloadAll() {
  const done = jobs.filter((job) => job.state === "done").map((job) => [job.result.name, job.result.blob]);
  download(await zip(done), "cutouts.zip");
}

function showLimits() {
  if (!account.limits) return;
  const { max_pixels: pixels, max_request_bytes: inline, max_upload_bytes: uploaded, formats_in: formats } = account.limits;
  byId("formats").textContent = `${formats.map((name) => name.toUpperCase()).join(", ")}; up to ${Math.round(pixels / 1e6)} megapixels and ${bytesText(uploaded || inline)}`;
}

linkPages();
startViewer();
startIntake();
startQueue({ pick, change: jobChanged, options, usual: usualResponse });
onKey(() => {
  byId("key-help").hidden = true;
  showLimits();
  for (const job of jobs) if (job.fault?.code === "invalid_api_key") start(job);
  run();
  showCode();
});
startKey();
byId("options").addEventListener("input", optionsChanged);
byId("options").addEventListener("submit", (event) => {
  event.preventDefault();
  runAll();
  optionsChanged();
});
byId("options").addEventListener("reset", (event) => {
  event.preventDefault();
  for (const field of fields) field.write(null);
  optionsChanged();
});
byId("views").addEventListener("change", refresh);
byId("show-box").addEventListener("change", () => showBox(selected?.result?.facts.box));
byId("swatches").addEventListener("change", (event) => {
  if (event.target.value === "picture" && event.target.name === "on" && !pictureUrl) byId("picture").click();
  showBackdrop();
});
byId("on-color").addEventListener("input", showBackdrop);
byId("picture").addEventListener("change", () => {
  if (pictureUrl) URL.revokeObjectURL(pictureUrl);
  const [file] = byId("picture").files;
  pictureUrl = file ? URL.createObjectURL(file) : "";
  showBackdrop();
});
byId("keep-background").addEventListener("click", keepBackground);
byId("languages").addEventListener("change", showCode);
byId("copy").addEventListener("click", copyCode);
byId("download").addEventListener("click", () => download(selected.result.blob, selected.result.name));
byId("download-all").addEventListener("click", downloadAll);
byId("clear").addEventListener("click", () => { for (const job of [...jobs]) remove(job); });
readOptions();
if (!apiKey()) {
  byId("key-form").classList.add("wanted");
  byId("key-help").hidden = false;
}
