// What both pages share: where the API is, elements, words for numbers.

// Everything is found from the page's own address, so a stage or a base path needs no setting.
export const apiUrl = (path) => {
  const here = location.pathname.replace(/\/+$/, "");
  const root = document.documentElement.dataset.page === "docs" ? here.replace(/\/docs$/, "") : here;
  return `${location.origin}${root}/${path}`;
};

export const byId = (id) => document.getElementById(id);

// Returns a new element; a property that is a function listens to the event of its name.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else if (name in made && name !== "list" && name !== "form") made[name] = value;
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function bytesText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function millisecondsText(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// Tells a screen reader what has happened. It reads what has changed, so the same text, told again,
// ends with a space that is neither seen nor heard.
export function announce(text) {
  const live = byId("live");
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}

export function linkPages() {
  for (const link of document.querySelectorAll("a[data-path]")) {
    link.href = apiUrl(link.dataset.path);
  }
}
