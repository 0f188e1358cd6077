// The ways in which photos come: the file dialog, the camera, the samples, the clipboard, and drops.

import { byId } from "./base.js";

function takeSample(button, take) {
  // The picture is a data: URL inside the page, which needs no request.
  const { src } = button.querySelector("img");
  const [, type, base64] = /^data:([^;]+);base64,(.*)$/.exec(src);
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  take([new File([bytes], button.dataset.sample, { type })]);
}

// Calls `take` with the files of each way in.
export function startIntake(take) {
  for (const button of document.querySelectorAll("[data-pick]")) button.addEventListener("click", () => byId("files").click());
  for (const button of document.querySelectorAll("[data-camera]")) button.addEventListener("click", () => byId("camera").click());
  for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", () => takeSample(button, take));
  for (const id of ["files", "camera"]) {
    byId(id).addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = "";
    });
  }
  addEventListener("paste", ({ target, clipboardData: { files, types } }) => {
    // Word and Excel copy a text with a picture of it, and a Mac copies a file with its name. A switch
    // or a slider that has the focus takes no text.
    const isForField = target.matches(":read-write") && types.includes("text/plain");
    if (files.length && !isForField) take(files);
  });
  // The field of an option that is a file takes itself what is dropped on it.
  const isPhoto = ({ target, dataTransfer }) => target.type !== "file" && dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    byId("veil").hidden = !isPhoto(event);
    if (isPhoto(event)) event.preventDefault();
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("veil").hidden = true; });
  addEventListener("drop", (event) => {
    byId("veil").hidden = true;
    if (!isPhoto(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
}
