// The panel with the request of the selected photo as code.

import { announce, byId } from "./base.js";
import { options, usualResponse } from "./options.js";
import { fieldsOf, routeOf } from "./request.js";
import { selection } from "./selected.js";
import { snippet } from "./snippets.js";

const language = () => document.querySelector('input[name="language"]:checked').value;

export function showCode() {
  const given = options();
  const { job } = selection;
  const file = job?.file ?? new File([], "photo.jpg");
  const { large } = routeOf(file, given);
  const usual = usualResponse();
  const sent = fieldsOf(given, { large, pixels: job?.pixels, usual });
  const byUrl = (sent.response ?? usual) === "url";
  const extension = given.channels === "alpha" ? "png" : { auto: "png" }[given.format] ?? given.format ?? "png";
  byId("code").textContent = snippet(language(), { fileName: file.name, fields: sent, large, byUrl, extension });
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

export function startCode() {
  byId("languages").addEventListener("change", showCode);
  byId("copy").addEventListener("click", copyCode);
}
