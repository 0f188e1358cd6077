// Controls for the fields of a request, each made from its JSON Schema in /openapi.json.

import { element } from "./base.js";

const HEX = /^#[0-9a-f]{6}$/i;
const isFile = (schema) => schema.format === "binary";
const isColor = (schema) => (schema.examples ?? []).some((example) => HEX.test(example));
const isNumber = (schema) => schema.type === "integer" || schema.type === "number";
// A field of the type number hides what it does not understand, and a browser sends no form with such
// a field: silently, where the field is folded away. A text goes to the service, which says what is wrong.
const NUMBER_PAD = { integer: "numeric", number: "decimal" };

// Returns { name, row, read, write }. read() is a text or a file, or null where nothing is to be
// sent; write(value) sets it, null to its default.
export function makeField(name, schema) {
  const id = `field-${name}`;
  const made = control(schema, id);
  const summary = (schema.description ?? "").split(" Accepted: ")[0];
  made.input.setAttribute("aria-describedby", `${id}-hint`);
  const label = element("label", { htmlFor: id }, name);
  const hint = element("p", { className: "hint", id: `${id}-hint` }, summary);
  const row = element("div", { className: made.inline ? "field inline" : "field" });
  row.append(label, made.holder ?? made.input, hint);
  return { name, schema, row, read: made.read, write: made.write, input: made.input };
}

function control(schema, id) {
  if (isFile(schema)) return fileControl(id);
  if (schema.enum) return choiceControl(schema, id);
  if (schema.type === "boolean" && typeof schema.default === "boolean") return switchControl(schema, id);
  if (schema.type === "boolean") return choiceControl({ ...schema, enum: ["true", "false"] }, id);
  return textControl(schema, id);
}

function choiceControl(schema, id) {
  const aliases = Object.keys(schema["x-aliases"] ?? {});
  const unsent = schema["x-default"]; // the default that a request leaves out
  const words = schema.enum.map(String).filter((word) => !aliases.includes(word) && word !== unsent);
  const usual = schema.default === undefined ? "" : String(schema.default);
  const input = element("select", { id });
  if (!usual) input.append(element("option", { value: "" }, unsent ? `${unsent} (default)` : "not set"));
  for (const word of words) {
    input.append(element("option", { value: word }, word === usual ? `${word} (default)` : word));
  }
  const write = (value) => { input.value = value ?? usual; };
  write(null);
  return { input, write, read: () => (input.value === usual ? null : input.value) };
}

function switchControl(schema, id) {
  const input = element("input", { id, type: "checkbox", checked: schema.default });
  const write = (value) => { input.checked = value === null ? schema.default : String(value) === "true"; };
  return { input, write, inline: true, read: () => (input.checked === schema.default ? null : String(input.checked)) };
}

function textControl(schema, id) {
  const usual = schema.default === undefined ? "" : String(schema.default);
  const input = element("input", { id, type: "text", inputMode: NUMBER_PAD[schema.type], spellcheck: false });
  const example = (schema.examples ?? []).find((one) => one !== usual);
  const bounds = isNumber(schema) && schema.maximum !== undefined ? `${schema.minimum} to ${schema.maximum}` : "";
  input.placeholder = usual || bounds || (example === undefined ? "" : `such as ${example}`);
  const read = () => (input.value === "" || input.value === usual ? null : input.value);
  if (!isColor(schema)) return { input, read, write: (value) => { input.value = value ?? ""; } };

  const well = element("input", { type: "color", value: "#ffffff", ariaLabel: "Pick a colour" });
  well.addEventListener("input", () => {
    input.value = well.value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const follow = () => { if (HEX.test(input.value)) well.value = input.value; };
  input.addEventListener("input", follow);
  const write = (value) => { input.value = value ?? ""; follow(); };
  return { input, read, write, holder: element("div", { className: "row" }, input, well) };
}

function fileControl(id) {
  const input = element("input", { id, type: "file", accept: "image/*,.heic,.heif,.avif" });
  const write = (value) => {
    const held = new DataTransfer();
    if (value) held.items.add(value);
    input.files = held.files;
  };
  return { input, write, read: () => input.files[0] ?? null };
}

// Returns a schema, or the one that it refers to.
export function resolve(document, schema) {
  let found = schema;
  while (found?.$ref) {
    found = found.$ref.slice(2).split("/").reduce((node, name) => node[name], document);
  }
  return found;
}
