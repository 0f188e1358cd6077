// The form of the options: one field for each that /openapi.json names.

import { apiUrl, byId, element } from "./base.js";
import { makeField, resolve } from "./fields.js";

const FIRST = ["format", "bg_color", "size", "crop", "shadow_type"];
let fields = [];
let toldFault = null;

const fieldOf = (name) => fields.find((field) => field.name === name);

// Returns what is set, by name: texts and files.
export function options() {
  const given = fields.map((field) => [field.name, field.read()]);
  return Object.fromEntries(given.filter(([, value]) => value !== null));
}

export const usualResponse = () => fieldOf("response")?.schema.default ?? "auto";

export function isSame(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name]);
}

// Sets every field whose name begins so to its default.
export function clearOptions(beginning = "") {
  for (const field of fields) if (field.name.startsWith(beginning)) field.write(null);
}

export function writeOption(name, value) {
  fieldOf(name)?.write(value);
}

// Makes the fields, and calls `ready` once they are there.
export async function readOptions(ready) {
  let description;
  try {
    const reply = await fetch(apiUrl("openapi.json"));
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    description = await reply.json();
  } catch (error) {
    byId("options-first").replaceChildren(
      element("p", { className: "fault" }, `The options cannot be read: ${error.message}.`),
      element("button", { type: "button", className: "quiet", click: () => readOptions(ready) }, "Try again"));
    return;
  }
  const body = description.paths["/v2"].post.requestBody.content["multipart/form-data"].schema;
  const { properties } = resolve(description, body);
  fields = Object.entries(properties)
    .filter(([name]) => name !== "image_file")
    .map(([name, schema]) => makeField(name, resolve(description, schema)));
  const first = FIRST.map(fieldOf).filter(Boolean);
  const rest = fields.filter((field) => !first.includes(field));
  byId("options-first").replaceChildren(...first.map((field) => field.row));
  const more = byId("options-more");
  more.querySelector("summary").textContent = `All options (${rest.length} more)`;
  more.querySelector("div").replaceChildren(...rest.map((field) => field.row));
  more.hidden = rest.length === 0;
  ready();
}

// Returns the fields of the options that an error's code is about.
function blamedFields(code) {
  if (code === "multiple_bg_sources") return fields.filter((one) => one.name.startsWith("bg_") && one.read() !== null);
  const name = code.startsWith("roi_") ? "roi" : /^invalid_(.+)/.exec(code)?.[1];
  const field = name && (fieldOf(name) ?? fields.find((one) => one.name.startsWith(`${name}_`)));
  return field ? [field] : [];
}

// Says at the buttons what is wrong with an option, and marks its field. The field comes into sight
// once: a person who has read it may look at something else.
export function tellOptionFault(fault = null) {
  if (fault === toldFault || !fields.length) return;
  toldFault = fault;
  const blamed = blamedFields(fault?.code ?? "");
  const [field] = blamed;
  for (const one of fields) one.input.setAttribute("aria-invalid", String(blamed.includes(one)));
  byId("options-fault").textContent = field ? fault.message : "";
  byId("options-fault").hidden = !field;
  if (!field) return;
  byId("options-more").open ||= byId("options-more").contains(field.input);
  field.row.scrollIntoView({ block: "nearest" });
}
