// The playground: photos in, cutouts out. This file joins the parts.

import { announce, byId, bytesText, linkPages } from "./base.js";
import { account, apiKey, onKey, startKey } from "./key.js";
import { clearOptions, isSame, options, readOptions, usualResponse, writeOption } from "./options.js";
import { addFiles, download, jobs, remove, run, runAll, start, startQueue } from "./queue.js";
import { backdropOption, startBackdrop } from "./backdrop.js";
import { refresh, selection, showKeepBackground } from "./selected.js";
import { showCode, startCode } from "./code.js";
import { showBox, startViewer } from "./viewer.js";
import { startIntake } from "./intake.js";
import { zip } from "./zip.js";

function update() {
  showCode();
  refresh();
}

function select(job) {
  selection.job = job;
  for (const one of jobs) one.row.pick.setAttribute("aria-current", one === job ? "true" : "false");
  update();
}

// A photo that a person picks comes into sight, where the stage is above the window.
function pick(job) {
  select(job);
  byId("views").scrollIntoView({ block: "nearest" });
}

function take(files) {
  const photos = [...files];
  if (!photos.length) return;
  const { activeElement: focused } = document;
  byId("work").hidden = false;
  document.body.classList.add("working");
  // The button that was pressed goes away with the welcome. What comes now is under this heading.
  if (focused === document.body || byId("welcome").contains(focused)) byId("work-title").focus({ preventScroll: true });
  byId("welcome").hidden = true;
  const [first] = addFiles(photos);
  announce(photos.length === 1 ? `${first.file.name} is added.` : `${photos.length} photos are added.`);
  select(first);
  optionsChanged();
}

function leave() {
  selection.job = null;
  byId("work").hidden = true;
  byId("welcome").hidden = false;
  document.body.classList.remove("working");
  document.querySelector("[data-pick]").focus();
}

function canApply() {
  const now = options();
  return jobs.some((job) => !isSame(job.options, now));
}

function showWhetherApplies() {
  // A button that is disabled while it has the focus would lose it, so this one only says that it is.
  byId("apply").setAttribute("aria-disabled", String(!canApply()));
  byId("apply").textContent = jobs.length > 1 ? `Apply to ${jobs.length} photos` : "Apply";
}

function optionsChanged() {
  showWhetherApplies();
  showCode();
}

function apply() {
  runAll();
  optionsChanged();
}

function keepBackground() {
  clearOptions("bg_");
  writeOption(...backdropOption());
  apply();
}

function jobChanged(job) {
  const done = jobs.filter((one) => one.state === "done").length;
  byId("download-all").disabled = done < 1;
  byId("queue-title").textContent = jobs.length > 1 ? `Photos: ${done} of ${jobs.length} done` : "Photos";
  showWhetherApplies(); // a photo that is tried again has taken the options up
  if (job === selection.job && !jobs.includes(job)) {
    if (jobs.length) select(jobs[0]);
    else leave();
  } else if (job === selection.job) update();
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
startIntake(take);
startBackdrop(showKeepBackground);
startCode();
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
  if (canApply()) apply();
});
byId("options").addEventListener("reset", (event) => {
  event.preventDefault();
  clearOptions();
  optionsChanged();
});
byId("views").addEventListener("change", refresh);
byId("show-box").addEventListener("change", () => showBox(selection.job?.result?.facts.box));
byId("keep-background").addEventListener("click", keepBackground);
byId("download").addEventListener("click", () => download(selection.job.result.blob, selection.job.result.name));
byId("download-all").addEventListener("click", downloadAll);
byId("clear").addEventListener("click", () => { for (const job of [...jobs]) remove(job); });
readOptions(showCode);
if (!apiKey()) {
  byId("key-form").classList.add("wanted");
  byId("key-help").hidden = false;
}
