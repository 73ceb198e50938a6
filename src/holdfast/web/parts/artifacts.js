// Files that a program left: pictures are shown, everything can be saved. An SVG is a picture here, never a document.

import { save } from "../core/api.js";
import { h } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { icon } from "./icons.js";

const PICTURES = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
};

export function artifacts(files) {
  if (!files?.length) return null;
  return h("section", { class: "artifacts", "aria-label": "Files it left" }, ...files.map(artifact));
}

export function picture(mediaType, base64, label) {
  return h("img", { class: "picture", alt: label, src: `data:${mediaType};base64,${base64}` });
}

function artifact({ path, size_bytes: size, base64 }) {
  const kind = PICTURES[path.split(".").pop().toLowerCase()];
  return h(
    "figure",
    { class: "artifact" },
    kind ? picture(kind, base64, `Picture ${path}`) : null,
    h(
      "figcaption",
      {},
      icon("file"),
      h("span", { class: "grow ellipsis" }, path),
      h("span", { class: "muted small" }, bytes(size)),
      h(
        "button",
        {
          class: "icon-button",
          "aria-label": `Save ${path}`,
          onClick: () => save(blobOf(base64), path.split("/").pop()),
        },
        icon("download"),
      ),
    ),
  );
}

function blobOf(base64) {
  return new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
}
