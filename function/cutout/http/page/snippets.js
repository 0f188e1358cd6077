// The request that the page sends, as code that sends the very same.

import { apiUrl } from "./base.js";

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const quoted = (text) => JSON.stringify(text);
// curl reads a file's name in quotes where it holds a comma, a semicolon or a quote itself.
const curlFile = (name) => `@"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

// Returns code in "curl", "python" or "node" for the file of this name and these fields; `byUrl` says
// that the reply is a link to the result.
export function snippet(language, { fileName, fields, large, byUrl, extension }) {
  const texts = Object.entries(fields).filter(([, value]) => !(value instanceof File));
  const files = Object.entries(fields).filter(([, value]) => value instanceof File)
    .map(([name, file]) => [name, file.name]);
  const request = { texts, files, fileName, large, output: `cutout.${extension}`, byUrl };
  return { curl, python, node }[language](request);
}

// Each step runs only if the one before it has not failed: a terminal would go on to the next line.
function curl({ texts, files, fileName, large, output, byUrl }) {
  const steps = [];
  const key = `  --header "x-api-key: $CUTOUT_API_KEY"`;
  const extract = (path) => `python3 -c ${shell(`import json, sys; print(json.load(sys.stdin)${path})`)}`;
  if (large) {
    steps.push(
      `form=$(curl --fail-with-body --silent --show-error --request POST ${shell(apiUrl("v2/uploads"))} \\\n${key})`,
      `url=$(echo "$form" | ${extract('["upload"]["url"]')})`,
      `image_key=$(echo "$form" | ${extract('["image_key"]')})`,
      `echo "$form" | python3 -c ${shell(
        'import json, sys\nfor name, value in json.load(sys.stdin)["upload"]["fields"].items():\n' +
        `    print('form-string = "' + name + "=" + value + '"')`)} |\n`
        + `curl --fail-with-body --silent --show-error --config - --form ${shell(`file=${curlFile(fileName)}`)} "$url"`);
  }
  const parts = texts.map(([name, value]) => `  --form-string ${shell(`${name}=${value}`)}`);
  parts.push(...files.map(([name, file]) => `  --form ${shell(`${name}=${curlFile(file)}`)}`));
  parts.push(large ? `  --form-string "image_key=$image_key"` : `  --form ${shell(`image_file=${curlFile(fileName)}`)}`);
  const request = [`${shell(apiUrl("v2"))} \\\n${key}`, ...parts].join(" \\\n");
  if (byUrl) {
    steps.push(
      `answer=$(curl --fail-with-body --silent --show-error ${request})`,
      `result=$(echo "$answer" | ${extract('["url"]')})`,
      `curl --fail --output ${shell(output)} "$result"`);
  } else {
    steps.push(`curl --fail-with-body --location --output ${shell(output)} ${request}`);
  }
  return steps.join(" &&\n");
}

function python({ texts, files, fileName, large, output, byUrl }) {
  const fields = texts.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`);
  const opened = files.map(([name, file]) => `    ${quoted(name)}: open(${quoted(file)}, "rb"),`);
  const lines = ["import os", "", "import requests", "", 'key = {"x-api-key": os.environ["CUTOUT_API_KEY"]}'];
  if (large) {
    lines.push(
      `asked = requests.post(${quoted(apiUrl("v2/uploads"))}, headers=key, timeout=60)`,
      "asked.raise_for_status()",
      "form = asked.json()",
      `photo = open(${quoted(fileName)}, "rb")`,
      'upload = form["upload"]',
      'requests.post(upload["url"], data=upload["fields"], files={"file": photo}, timeout=600).raise_for_status()');
    fields.push('    "image_key": form["image_key"],');
  } else {
    opened.push(`    "image_file": open(${quoted(fileName)}, "rb"),`);
  }
  lines.push(
    "fields = {", ...fields, "}", "files = {", ...opened, "}",
    `reply = requests.post(${quoted(apiUrl("v2"))}, headers=key, data=fields, files=files, timeout=60)`,
    "reply.raise_for_status()");
  if (byUrl) lines.push('reply = requests.get(reply.json()["url"], timeout=60)', "reply.raise_for_status()");
  lines.push(`open(${quoted(output)}, "wb").write(reply.content)`);
  return lines.join("\n");
}

function node({ texts, files, fileName, large, output, byUrl }) {
  const lines = [
    'import { openAsBlob } from "node:fs";', 'import { writeFile } from "node:fs/promises";', "",
    'const headers = { "x-api-key": process.env.CUTOUT_API_KEY };', "const form = new FormData();",
  ];
  const append = (form, name, file) => `${form}.append(${quoted(name)}, await openAsBlob(${quoted(file)}), ${quoted(file)});`;
  if (large) {
    lines.push(
      `const asked = await fetch(${quoted(apiUrl("v2/uploads"))}, { method: "POST", headers });`,
      "if (!asked.ok) throw new Error(await asked.text());",
      "const { upload, image_key } = await asked.json();",
      "const photo = new FormData();",
      "for (const [name, value] of Object.entries(upload.fields)) photo.append(name, value);",
      append("photo", "file", fileName),
      'const kept = await fetch(upload.url, { method: "POST", body: photo });',
      "if (!kept.ok) throw new Error(await kept.text());",
      'form.append("image_key", image_key);');
  } else {
    lines.push(append("form", "image_file", fileName));
  }
  lines.push(
    ...texts.map(([name, value]) => `form.append(${quoted(name)}, ${quoted(value)});`),
    ...files.map(([name, file]) => append("form", name, file)),
    `${byUrl ? "let" : "const"} reply = await fetch(${quoted(apiUrl("v2"))}, { method: "POST", headers, body: form });`,
    "if (!reply.ok) throw new Error(await reply.text());");
  if (byUrl) {
    lines.push("reply = await fetch((await reply.json()).url);", "if (!reply.ok) throw new Error(await reply.text());");
  }
  lines.push(`await writeFile(${quoted(output)}, Buffer.from(await reply.arrayBuffer()));`);
  return lines.join("\n");
}
