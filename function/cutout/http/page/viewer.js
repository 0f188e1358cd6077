// The stage: one picture or two over each other, with zoom, panning and a divider between them.

import { byId } from "./base.js";

const MOST_ZOOM = 32;
const MOST_FIT = 3; // a small picture is enlarged at most so much to fill the stage
const STEP_PX = 40;

const view = { width: 1, height: 1, scale: 1, x: 0, y: 0, fitted: true, split: 50, compares: false };
const stage = byId("stage");
const scene = byId("scene");
const divider = byId("divider");
const divide = byId("divide");
// Counts what the stage was given: a picture that is ready only after the next one was given is not shown.
let turn = 0;

// Shows pictures: { after, before, compares, box, alt }, the first two as URLs or null. Returns false
// where the browser cannot show them, and true where the stage was given something else meanwhile.
export async function showPictures({ after, before, compares = false, box = null, alt = "" }) {
  turn += 1;
  const mine = turn;
  const top = byId("before");
  const bottom = byId("after");
  bottom.hidden = !after;
  top.hidden = !before;
  if (after) bottom.src = after;
  if (before) top.src = before;
  const image = after ? bottom : top;
  bottom.alt = after ? alt : "";
  top.alt = after ? "" : alt;
  byId("message").hidden = true;
  try {
    await image.decode();
    if (before && after) await top.decode();
  } catch {
    if (mine !== turn) return true;
    say("This browser cannot show this format. Download the file to see it.");
    return false;
  }
  if (mine !== turn) return true;
  const { naturalWidth: width, naturalHeight: height } = image;
  const changed = width !== view.width || height !== view.height;
  Object.assign(view, { width, height, compares });
  scene.hidden = false;
  byId("backdrop").hidden = !after;
  divider.hidden = !compares;
  divide.hidden = !compares;
  showBox(box);
  if (changed || view.fitted) fit();
  else draw();
  return true;
}

export function say(...words) {
  turn += 1;
  scene.hidden = true;
  divider.hidden = true;
  divide.hidden = true;
  const message = byId("message");
  message.hidden = false;
  message.replaceChildren(...words);
}

export function showBox(box) {
  const frame = byId("box");
  frame.hidden = !box || !box.width || !byId("show-box").checked;
  if (!box) return;
  for (const side of ["top", "left", "width", "height"]) frame.style[side] = `${box[side]}px`;
}

export function fit() {
  const { clientWidth, clientHeight } = stage;
  view.scale = Math.min(clientWidth / view.width, clientHeight / view.height, MOST_FIT) || 1;
  view.x = (clientWidth - view.width * view.scale) / 2;
  view.y = (clientHeight - view.height * view.scale) / 2;
  view.fitted = true;
  draw();
}

// Multiplies the zoom, and keeps the point (x, y) of the stage where it is.
function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const least = Math.min(1, stage.clientWidth / view.width, stage.clientHeight / view.height) / 2;
  const scale = Math.min(MOST_ZOOM, Math.max(least, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
  draw();
}

function pan(x, y) {
  const inside = (at, size, room) => Math.min(room - 20, Math.max(20 - size, at));
  view.x = inside(view.x + x, view.width * view.scale, stage.clientWidth);
  view.y = inside(view.y + y, view.height * view.scale, stage.clientHeight);
  view.fitted = false;
  draw();
}

function draw() {
  scene.style.width = `${view.width}px`;
  scene.style.height = `${view.height}px`;
  scene.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  scene.style.setProperty("--zoom", view.scale);
  scene.classList.toggle("pixels", view.scale >= 3);
  stage.classList.toggle("movable", !view.fitted);
  byId("zoom-value").textContent = `${Math.round(view.scale * 100)} %`;
  byId("before").style.clipPath = view.compares ? `inset(0 ${100 - view.split}% 0 0)` : "none";
  const top = Math.max(0, view.y);
  divider.style.top = `${top}px`;
  divider.style.height = `${Math.min(stage.clientHeight, view.y + view.height * view.scale) - top}px`;
  divider.style.left = `${view.x + (view.width * view.scale * view.split) / 100}px`;
}

function split(share) {
  view.split = Math.min(100, Math.max(0, share));
  divide.value = view.split;
  draw();
}

// How far across the picture a pointer is, in percent.
const shareAt = (clientX) => ((clientX - stage.getBoundingClientRect().left - view.x) / (view.width * view.scale)) * 100;

function startPointers() {
  const pointers = new Map();
  let splitting = false;
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, a") || event.button > 0) return;
    pointers.set(event.pointerId, event);
    stage.setPointerCapture(event.pointerId);
    // The whole height divides, unless the picture can be moved: then only the handle does.
    splitting = view.compares && (view.fitted || event.target.closest("#divider") !== null);
    if (splitting) split(shareAt(event.clientX));
  });
  stage.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const [other] = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    pointers.set(event.pointerId, event);
    if (other) pinch(last, event, other);
    else if (splitting) split(shareAt(event.clientX));
    else pan(event.clientX - last.clientX, event.clientY - last.clientY);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { left, top } = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), event.clientX - left, event.clientY - top);
  }, { passive: false });
}

function pinch(last, event, other) {
  const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  const { left, top } = stage.getBoundingClientRect();
  zoom(apart(event) / Math.max(1, apart(last)), (event.clientX + other.clientX) / 2 - left, (event.clientY + other.clientY) / 2 - top);
}

const KEYS = {
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
  ArrowLeft: () => pan(STEP_PX, 0), ArrowRight: () => pan(-STEP_PX, 0),
  ArrowUp: () => pan(0, STEP_PX), ArrowDown: () => pan(0, -STEP_PX),
};

export function startViewer() {
  startPointers();
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage || event.ctrlKey || event.metaKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  divide.addEventListener("input", () => split(Number(divide.value)));
  byId("zoom-in").addEventListener("click", () => zoom(1.5));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  byId("zoom-fit").addEventListener("click", fit);
  new ResizeObserver(() => (view.fitted ? fit() : draw())).observe(stage);
}
