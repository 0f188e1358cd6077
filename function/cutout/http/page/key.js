// The API key: it stays in this tab, and goes nowhere but into the header of requests.

import { apiUrl, byId } from "./base.js";

const STORED = "cutout-api-key";
const listeners = [];
export const account = { limits: null };

export const apiKey = () => sessionStorage.getItem(STORED) ?? "";

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

// Tests the key that is stored, and learns the limits of the deployment.
async function checkKey() {
  showKeyState("Testing…");
  let reply;
  try {
    reply = await fetch(apiUrl("v2/account"), { headers: { "x-api-key": apiKey() } });
  } catch {
    showKeyState("The service cannot be reached", "bad");
    return;
  }
  if (reply.status === 401 || reply.status === 403) {
    askForKey("This key is not accepted");
    return;
  }
  if (reply.ok) account.limits = (await reply.json()).limits;
  showKeyState(reply.ok ? "Accepted" : `The service answered ${reply.status}`, reply.ok ? "good" : "bad");
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
      sessionStorage.removeItem(STORED);
      showKeyState("Enter a key", "bad");
      return;
    }
    if (!/^[\x21-\x7e]+$/.test(typed)) {
      askForKey("A key has letters, digits and signs, and no space");
      return;
    }
    sessionStorage.setItem(STORED, typed);
    checkKey();
  });
  if (apiKey()) checkKey();
}
