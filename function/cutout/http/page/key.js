// The API key: it stays in this tab, and goes nowhere but into the header of requests.

import { apiUrl, byId } from "./base.js";

const STORED = "cutout-api-key";
const listeners = [];
export const account = { limits: null };

let unstored = ""; // the key where the browser lets no page store anything: it ends with the page
let unreached = false; // the stored key is not tested, since the service could not be reached

// Returns the tab's storage, or null where a person has forbidden it.
function tabStorage() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

export const apiKey = () => tabStorage()?.getItem(STORED) ?? unstored;

function keepKey(typed) {
  const storage = tabStorage();
  if (!storage) unstored = typed;
  else if (typed) storage.setItem(STORED, typed);
  else storage.removeItem(STORED);
}

export function onKey(listener) {
  listeners.push(listener);
}

export function askForKey(message) {
  showKeyState(message, "bad");
  byId("key-form").classList.add("wanted");
  byId("key").focus();
}

function showKeyState(text, kind = "") {
  const state = byId("key-state");
  state.textContent = text;
  state.className = kind;
}

// Returns { status, limits } of the account, or throws an Error with words for a person.
async function readAccount(key) {
  const reply = await fetch(apiUrl("v2/account"), { headers: { "x-api-key": key } })
    .catch(() => {
      unreached = true;
      throw new Error("The service cannot be reached");
    });
  if (reply.status === 403) throw new Error("The service refuses requests from here");
  if (!reply.ok) return { status: reply.status, limits: account.limits };
  const { limits } = await reply.json().catch(() => ({}));
  if (!limits) throw new Error("The answer is not one of this service");
  return { status: reply.status, limits };
}

// Tests the key that is stored, and learns the limits of the deployment.
async function checkKey() {
  const key = apiKey();
  const isOld = () => key !== apiKey(); // another key is tested by now
  unreached = false;
  showKeyState("Testing…");
  let found;
  try {
    found = await readAccount(key);
  } catch (error) {
    if (!isOld()) showKeyState(error.message, "bad");
    return;
  }
  if (isOld()) return;
  if (found.status === 401) {
    askForKey("This key is not accepted");
    return;
  }
  account.limits = found.limits;
  if (found.status === 200) showKeyState("Accepted", "good");
  else showKeyState(`The service answered ${found.status}`, "bad");
  byId("key-form").classList.remove("wanted");
  for (const listener of listeners) listener();
}

export function startKey() {
  const field = byId("key");
  field.value = apiKey();
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = field.value.trim();
    if (!typed) {
      keepKey("");
      showKeyState("Enter a key", "bad");
      return;
    }
    if (!/^[\x21-\x7e]+$/.test(typed)) {
      askForKey("A key has letters, digits and signs, and no space");
      return;
    }
    keepKey(typed);
    checkKey();
  });
  addEventListener("online", () => { if (unreached && apiKey()) checkKey(); });
  if (apiKey()) checkKey();
}
