// Files chosen by a button or dropped, as what `files` of a request takes: text, or bytes as base64.

import { h, replace } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { icon } from "./icons.js";

const CHUNK = 0x8000;

export function dropZone(label, onFiles, { accept, hint } = {}) {
  const input = h("input", {
    type: "file",
    multiple: true,
    class: "unseen",
    accept,
    "aria-label": label,
    onChange: () => taken(input.files),
  });
  const node = h(
    "label",
    { class: "drop" },
    icon("upload"),
    h("span", {}, label),
    hint ? h("span", { class: "muted small" }, hint) : null,
    input,
  );
  for (const kind of ["dragenter", "dragover"]) node.addEventListener(kind, (event) => hover(event, true));
  for (const kind of ["dragleave", "drop"]) node.addEventListener(kind, (event) => hover(event, false));
  node.addEventListener("drop", (event) => taken(event.dataTransfer.files));
  return node;

  function hover(event, isOver) {
    event.preventDefault();
    node.classList.toggle("over", isOver);
  }

  function taken(files) {
    if (files.length) onFiles([...files]);
    input.value = "";
  }
}

// A list of input files that can grow and shrink. `onChange` is told how many there are.
export function fileList(onChange) {
  const files = new Map();
  const list = h("ul", { class: "file-list" });
  const node = h(
    "div",
    { class: "stack" },
    dropZone("Add files", add, { hint: "Drop them here. The program finds them in its working directory." }),
    list,
  );
  return { node, value: () => Object.fromEntries([...files].map(([name, { content }]) => [name, content])) };

  async function add(chosen) {
    for (const file of chosen) files.set(file.name, { size: file.size, content: await contentOf(file) });
    draw();
  }

  function draw() {
    replace(
      list,
      ...[...files].map(([name, { size }]) =>
        h(
          "li",
          {},
          icon("file"),
          h("span", { class: "grow ellipsis" }, name),
          h("span", { class: "muted small" }, bytes(size)),
          h(
            "button",
            {
              class: "icon-button",
              type: "button",
              "aria-label": `Remove ${name}`,
              onClick: () => (files.delete(name), draw()),
            },
            icon("close"),
          ),
        ),
      ),
    );
    onChange?.(files.size);
  }
}

async function contentOf(file) {
  const raw = new Uint8Array(await file.arrayBuffer());
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    let binary = "";
    for (let at = 0; at < raw.length; at += CHUNK) binary += String.fromCharCode(...raw.subarray(at, at + CHUNK));
    return { base64: btoa(binary) };
  }
}
