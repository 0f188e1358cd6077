// The reference: /openapi.json as a page, with a form for each operation that sends it.

import { announce, apiUrl, byId, bytesText, element, linkPages, millisecondsText } from "./base.js";
import { apiKey, startKey } from "./key.js";
import { makeField, resolve } from "./fields.js";
import { send } from "./transfer.js";

let description;

const anchor = (method, path) => `${method}-${path.replace(/\W+/g, "-")}`;
const sentence = (text) => element("p", {}, text ?? "");

function operations() {
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
}

// ---- the words

function typeOf(schema) {
  const type = [schema.type ?? (schema.const === undefined ? "" : typeof schema.const)].flat().join(" or ");
  const bounds = schema.minimum !== undefined && schema.maximum !== undefined ? ` ${schema.minimum}…${schema.maximum}` : "";
  return schema.format === "binary" ? "file" : `${schema.type === "array" ? "list" : type}${bounds}`;
}

function valuesOf(schema) {
  const aliases = schema["x-aliases"] ?? {};
  if (!schema.enum) return null;
  return schema.enum.filter((word) => !(word in aliases)).join(", ")
    + (Object.keys(aliases).length ? `; also ${Object.entries(aliases).map(([name, value]) => `${name} (${value})`).join(", ")}` : "");
}

function table(heads, rows, label) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: label }, made);
}

const code = (text) => element("code", {}, String(text));

function fieldTable(schema, label) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, told]) => {
    const field = resolve(description, told);
    const words = element("div", {}, (field.description ?? "").split(" Accepted: ")[0]);
    const accepted = (field.description ?? "").split(" Accepted: ")[1];
    const values = valuesOf(field);
    if (values) words.append(element("p", { className: "hint" }, values));
    else if (accepted && typeOf(field) === "string") words.append(element("p", { className: "hint" }, accepted));
    if (field.examples?.length) words.append(element("p", { className: "hint" }, "such as ", ...field.examples.flatMap((one) => [code(shortened(one)), " "])));
    const needed = schema.required?.includes(name) ? "needed" : field.default === undefined ? "" : code(field.default);
    return [code(name), typeOf(field), needed, words];
  });
  return rows.length ? table(["Field", "Type", "Default", "Meaning"], rows, label) : null;
}

// Texts of any length, such as base64, take one line.
const shortened = (value) => (typeof value === "string" && value.length > 60 ? `${value.slice(0, 57)}…` : String(value));

function exampleOf(schema) {
  const [example] = schema.examples ?? [];
  if (!example || typeof example !== "object") return null;
  const text = JSON.stringify(example, (_, value) => (typeof value === "string" ? shortened(value) : value), 2);
  return element("pre", { tabIndex: 0, ariaLabel: "Example" }, element("code", {}, text));
}

function bodySection(operation) {
  const contents = Object.entries(operation.requestBody?.content ?? {});
  if (!contents.length) return null;
  const parts = contents.map(([type, { schema }], index) => {
    const found = resolve(description, schema);
    const inside = [fieldTable(found, `Fields of ${type}`) ?? sentence("The body is the image. Options are in the query string."), exampleOf(found)];
    return element("details", { open: index === 0 }, element("summary", {}, code(type)), element("div", {}, ...inside.filter(Boolean)));
  });
  return element("section", {}, element("h4", {}, "Body"), ...parts);
}

function querySection(operation) {
  const parameters = operation.parameters ?? [];
  if (!parameters.length) return null;
  const names = parameters.map((parameter) => resolve(description, parameter).name);
  const rows = parameters.map((told) => {
    const parameter = resolve(description, told);
    return [code(parameter.name), typeOf(parameter.schema), (parameter.description ?? "").split(" Accepted: ")[0]];
  });
  return element("details", {}, element("summary", {}, `Query string: ${names.length > 3 ? `${names.length} options` : names.join(", ")}`),
    element("div", {}, table(["Name", "Type", "Meaning"], rows, "Query string")));
}

function replySection(operation) {
  const rows = Object.entries(operation.responses).map(([status, told]) => {
    const reply = resolve(description, told);
    const types = Object.keys(reply.content ?? {}).join(", ");
    return [element("b", { className: status < 400 ? "good" : "bad" }, status), codesOf(reply.description, status), types];
  });
  const examples = Object.entries(operation.responses).filter(([status]) => status < 300).flatMap(([, told]) => {
    const json = resolve(description, told).content?.["application/json"];
    const schemas = json ? [json.schema, ...(json.schema.anyOf ?? [])] : [];
    return schemas.map((schema) => exampleOf(resolve(description, schema))).filter(Boolean);
  });
  const headers = Object.entries(resolve(description, Object.values(operation.responses)[0]).headers ?? {}).map(([name, told]) => {
    const header = resolve(description, told);
    return [code(name), header.description ?? ""];
  });
  return element("section", {}, element("h4", {}, "Replies"), table(["Status", "Meaning", "Content-Type"], rows, "Replies"),
    element("details", {}, element("summary", {}, `Headers of the first reply (${headers.length})`), element("div", {}, table(["Header", "Meaning"], headers, "Headers"))),
    ...(examples.length ? [element("details", {}, element("summary", {}, "Examples of JSON replies"), element("div", {}, ...examples))] : []));
}

// The codes of errors that the document knows, the longest first.
const knownCodes = () => Object.values(description.components.schemas)
  .flatMap((schema) => [schema.properties?.error, schema.properties?.errors?.items])
  .flatMap((schema) => schema?.properties?.code?.enum ?? [])
  .sort((one, other) => other.length - one.length);

// A refusal's description is a run of "code: meaning." parts: one line for each meaning.
function codesOf(text, status) {
  if (status < 400) return text;
  const meanings = new Map();
  for (const part of text.split(new RegExp(` (?=(?:${knownCodes().join("|")}): )`))) {
    const at = part.indexOf(": ");
    const meaning = part.slice(at + 2);
    meanings.set(meaning, [...(meanings.get(meaning) ?? []), part.slice(0, at)]);
  }
  const lines = [...meanings].map(([meaning, names]) =>
    element("li", {}, ...names.flatMap((name) => [code(name), " "]), meaning));
  return element("ul", { className: "codes" }, ...lines);
}

// Tells whether a form with no option is answered with a link to the result.
const answersUrl = (form) => resolve(description, form.schema).properties.response?.default === "url";

// The shortest request that is complete, for curl.
function exampleRequest({ path, method, operation }) {
  const contents = operation.requestBody?.content ?? {};
  const json = contents["application/json"];
  const form = contents["multipart/form-data"];
  const lines = [`curl ${method === "get" || method === "post" ? "" : "--head "}'${apiUrl(path.slice(1))}'`];
  if (operation.security?.length) lines.push(`--header "x-api-key: $CUTOUT_API_KEY"`);
  if (form) lines.push("--form 'image_file=@photo.jpg'", ...(answersUrl(form) ? [] : ["--location --output cutout.png"]));
  else if (json) lines.push(`--json '${JSON.stringify(resolve(description, json.schema).examples?.[0] ?? {})}'`);
  return element("pre", { tabIndex: 0, ariaLabel: "Example request" }, element("code", {}, lines.join(" \\\n  ")));
}

// ---- try it

function tryForm({ path, method, operation }) {
  const contents = operation.requestBody?.content ?? {};
  const form = contents["multipart/form-data"];
  const json = contents["application/json"];
  const fields = [];
  const inputs = element("div", { className: "grid" });
  if (form) {
    const { properties } = resolve(description, form.schema);
    for (const [name, schema] of Object.entries(properties)) fields.push(makeField(name, resolve(description, schema)));
  } else if (!json) {
    for (const told of operation.parameters ?? []) {
      const parameter = resolve(description, told);
      fields.push(makeField(parameter.name, { ...parameter.schema, description: parameter.description }));
    }
  }
  for (const field of fields) {
    field.input.id = `${anchor(method, path)}-${field.name}`;
    field.row.querySelector("label").htmlFor = field.input.id;
    field.row.querySelector(".hint").id = `${field.input.id}-hint`;
    field.input.setAttribute("aria-describedby", `${field.input.id}-hint`);
    inputs.append(field.row);
  }
  let text = null;
  if (json && !form) {
    const [example] = resolve(description, json.schema).examples ?? [{}];
    text = element("textarea", { rows: 4, value: JSON.stringify(example, null, 2), ariaLabel: "JSON body", spellcheck: false });
    inputs.append(text);
  }
  const output = element("div", { className: "outcome" });
  let control = new AbortController();
  const submit = async (event) => {
    event.preventDefault();
    const given = fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== null);
    const request = { url: apiUrl(path.replace(/^\//, "")), method: method.toUpperCase(), headers: {}, body: null };
    if (operation.security?.length && apiKey()) request.headers["x-api-key"] = apiKey();
    if (form) {
      request.body = new FormData();
      for (const [name, value] of given) request.body.append(name, value);
    } else if (text) {
      request.body = text.value;
      request.headers["Content-Type"] = "application/json";
    } else if (given.length) {
      request.url += `?${new URLSearchParams(given)}`;
    }
    control.abort(); // of a request that still runs, only the later one's answer is shown
    control = new AbortController();
    await showOutcome({ ...request, signal: control.signal }, output);
  };
  const title = operation.security?.length ? "Send with the key above" : "Send";
  return element("details", { className: "try" }, element("summary", {}, "Try it"),
    element("form", { submit, autocomplete: "off" }, inputs, element("div", { className: "buttons" }, element("button", { className: "primary", type: "submit" }, title)), output));
}

const objectUrls = new WeakMap(); // of the outcome in each form, while it is on the page

async function showOutcome({ url, ...request }, output) {
  URL.revokeObjectURL(objectUrls.get(output));
  output.replaceChildren(element("p", { className: "hint" }, "Sends…"));
  const started = performance.now();
  let reply;
  try {
    reply = await send(url, request);
  } catch (error) {
    if (error.name === "AbortError") return;
    output.replaceChildren(element("p", { className: "fault" }, error.message));
    announce(error.message);
    return;
  }
  const type = reply.header("Content-Type") ?? "";
  const line = `${reply.status} · ${type || "no body"} · ${bytesText(reply.blob.size)} · ${millisecondsText(performance.now() - started)} · X-Request-Id ${reply.header("X-Request-Id") ?? "missing"}`;
  const made = await bodyView(type, reply.blob);
  const objectUrl = made.src ?? made.href;
  if (request.signal.aborted) {
    URL.revokeObjectURL(objectUrl);
    return;
  }
  objectUrls.set(output, objectUrl);
  output.replaceChildren(element("p", { className: reply.status < 400 ? "good" : "fault" }, line), made);
  announce(`The answer has the status ${reply.status}.`);
}

async function bodyView(type, blob) {
  if (!blob.size) return element("p", { className: "hint" }, "The reply has no body.");
  if (type.startsWith("image/")) return pictureView(URL.createObjectURL(blob));
  if (!/json|text/.test(type)) return linkTo(URL.createObjectURL(blob));
  let text = await blob.text();
  try {
    text = JSON.stringify(JSON.parse(text), (_, value) => (typeof value === "string" && value.length > 400 ? `${value.slice(0, 400)}…` : value), 2);
  } catch { /* It is no JSON, and shown as it is. */ }
  return element("pre", { tabIndex: 0, ariaLabel: "Body of the reply" }, element("code", {}, text.slice(0, 20_000)));
}

// Of the formats of results, browsers show no TIFF.
function pictureView(url) {
  const image = element("img", { src: url, alt: "The image in the reply", className: "answer" });
  return image.decode().then(() => image, () => linkTo(url));
}

const linkTo = (url) => element("a", { href: url, download: "reply" }, "Download the reply");

// ---- the page

function operationView(one) {
  const { path, method, operation } = one;
  return element("article", { id: anchor(method, path) },
    element("h3", {}, element("span", { className: `method ${method}` }, method.toUpperCase()), " ", code(path)),
    element("p", { className: "lead" }, operation.summary ?? ""), sentence(operation.description),
    element("p", { className: "hint" }, operation.security?.length ? "Needs the header x-api-key." : "Needs no key."),
    ...[exampleRequest(one), bodySection(operation), querySection(operation), replySection(operation), tryForm(one)].filter(Boolean));
}

function render() {
  const all = operations();
  const main = byId("main");
  const { title, version, description: words } = description.info;
  const intro = element("header", {}, element("h1", {}, "API reference"),
    element("p", { className: "lead" }, `${title} ${version}. ${words}`),
    element("p", {}, "Base URL ", code(apiUrl("").replace(/\/$/, "")), " · ", element("a", { href: apiUrl("openapi.json") }, "openapi.json")));
  const contents = element("ul", {});
  const sections = description.tags.map((tag) => {
    const own = all.filter(({ operation }) => operation.tags?.includes(tag.name));
    contents.append(element("li", { className: "group" }, tag.name), ...own.map(({ method, path }) =>
      element("li", {}, element("a", { href: `#${anchor(method, path)}` }, element("span", { className: `method ${method}` }, method.toUpperCase()), ` ${path}`))));
    return element("section", {}, element("h2", {}, tag.name), sentence(tag.description), ...own.map(operationView));
  });
  byId("contents").replaceChildren(contents);
  main.replaceChildren(intro, ...sections);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

async function readDescription() {
  try {
    const reply = await fetch(apiUrl("openapi.json"));
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    description = await reply.json();
  } catch (error) {
    byId("main").replaceChildren(element("p", { className: "fault" }, `openapi.json cannot be read: ${error.message}.`),
      element("button", { type: "button", className: "quiet", click: readDescription }, "Try again"));
    return;
  }
  render();
}

linkPages();
startKey();
readDescription();
