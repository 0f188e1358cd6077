// What a cutout is shown on: a checkerboard, a colour or a picture, which an option can put into it.

import { byId } from "./base.js";

let shown = null; // the file that `pictureUrl` is of
let pictureUrl = "";

const chosen = () => document.querySelector('input[name="on"]:checked').value;

// Returns the option that makes this backdrop the cutout's own as [name, value], or null.
export function backdropOption() {
  const on = chosen();
  const [picture] = byId("picture").files;
  if (on === "checker" || (on === "picture" && !picture)) return null;
  if (on === "picture") return ["bg_image_file", picture];
  return ["bg_color", on === "color" ? byId("on-color").value : on];
}

function readPicture() {
  const [picture = null] = byId("picture").files;
  if (picture === shown) return;
  if (shown) URL.revokeObjectURL(pictureUrl);
  pictureUrl = picture ? URL.createObjectURL(picture) : "";
  shown = picture;
}

function showBackdrop() {
  readPicture();
  const on = chosen();
  const backdrop = byId("backdrop");
  backdrop.className = on === "checker" ? "backdrop checker" : "backdrop";
  byId("on-color").hidden = on !== "color";
  backdrop.style.backgroundColor = on === "color" ? byId("on-color").value : on.startsWith("#") ? on : "";
  backdrop.style.backgroundImage = on === "picture" && shown ? `url("${pictureUrl}")` : "";
}

// Follows the choice; `change` is called after each.
export function startBackdrop(change) {
  const show = () => {
    showBackdrop();
    change();
  };
  // A browser that comes back to the page, or loads it again, may set an earlier choice, and the file
  // of a picture, without an event.
  addEventListener("pageshow", show);
  byId("swatches").addEventListener("change", (event) => {
    if (event.target.value === "picture" && event.target.name === "on" && !shown) byId("picture").click();
    show();
  });
  byId("on-color").addEventListener("input", show);
  byId("picture").addEventListener("change", show);
}
