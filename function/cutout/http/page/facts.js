// What is told beneath a result: sizes, times, what was found, or what went wrong.

import { bytesText, byId, element, millisecondsText } from "./base.js";

const percent = (share) => `${(share * 100).toFixed(1)} %`;

// Returns the facts of a result as a list; `size` is the picture's [width, height], or null.
export function factsOf(job, size) {
  const { facts, blob, ending } = job.result;
  const rows = [
    ["Picture", size ? `${size[0]} × ${size[1]} px` : null],
    ["File", `${ending.toUpperCase()}, ${bytesText(blob.size)}`],
    ["Subject", facts.box ? boxText(facts.box) : null],
    ["Coverage", facts.coverage === null ? null : percent(facts.coverage)],
    ["Confidence", facts.confidence === null ? null : percent(facts.confidence)],
    ["Scaled to fit", facts.scale ? percent(facts.scale) : null],
    ["Model", facts.model],
    ["Whole request", millisecondsText(facts.totalMs)],
    ["Photo went", facts.sent],
    ["Result came", facts.came],
    ["request_id", facts.requestId ? element("code", {}, facts.requestId) : null],
  ];
  const list = element("dl", {});
  for (const [name, value] of rows) {
    if (value) list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }
  return [stagesOf(facts.stages), list];
}

const boxText = (box) => (box.width ? `${box.width} × ${box.height} px at ${box.left}, ${box.top}` : "none found");

// A bar whose parts are as long as the stages took.
function stagesOf(stages) {
  if (!stages.length) return null;
  const bar = element("div", { className: "stages", role: "img", ariaLabel: `Stages: ${stages.map(([name, ms]) => `${name} ${millisecondsText(ms)}`).join(", ")}` });
  const names = element("ul", { className: "legend" });
  stages.forEach(([name, ms], index) => {
    const part = element("i", { className: `stage-${index % 4}` });
    part.style.flexGrow = Math.max(ms, 1);
    bar.append(part);
    names.append(element("li", { className: `stage-${index % 4}` }, `${name} ${millisecondsText(ms)}`));
  });
  return element("div", {}, bar, names);
}

// Returns the words of a failure, and a button that gives the focus to the stage before it goes away.
export function faultView(fault, retry) {
  const click = () => {
    byId("stage").focus();
    retry();
  };
  const facts = element("p", { className: "hint" });
  if (fault.code) facts.append("Code ", element("code", {}, fault.code));
  if (fault.status) facts.append(` · status ${fault.status}`);
  if (fault.requestId) facts.append(" · request_id ", element("code", {}, fault.requestId));
  return [
    element("p", { className: "fault" }, fault.message), facts,
    element("button", { type: "button", className: "quiet", click }, "Try again"),
  ];
}
