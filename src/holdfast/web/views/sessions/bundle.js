// Something shown, in the format that says most and can be shown safely. HTML is never made into a document of ours: a
// table in it is read and drawn anew as text, and everything else of it is its plain text.

import { h } from "../../core/dom.js";
import { picture } from "../../parts/artifacts.js";
import { dataTable } from "../../parts/table.js";
import { tableOf } from "./html.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export function bundle(data) {
  const kind = PICTURES.find((each) => typeof data[each] === "string");
  if (kind) return picture(kind, data[kind].replaceAll("\n", ""), data["text/plain"] ?? "Picture");
  if (typeof data["image/svg+xml"] === "string")
    return picture("image/svg+xml", btoa(unescape(encodeURIComponent(data["image/svg+xml"]))), "Picture");
  if (typeof data["text/html"] === "string") return fromHtml(data["text/html"], data["text/plain"]);
  if (data["application/json"] !== undefined)
    return h("pre", { class: "output" }, JSON.stringify(data["application/json"], null, 2));
  return h("pre", { class: "output value" }, textOf(data));
}

function textOf(data) {
  return String(data["text/plain"] ?? data["text/markdown"] ?? data["text/latex"] ?? JSON.stringify(data, null, 2));
}

function fromHtml(markup, plain) {
  const read = tableOf(markup);
  const source = h(
    "details",
    { class: "source" },
    h("summary", { class: "muted small" }, "HTML source"),
    h("pre", { class: "output" }, markup),
  );
  return h(
    "div",
    { class: "stack tight" },
    read ? dataTable({ ...read, label: "Table" }) : h("pre", { class: "output value" }, plain ?? markup),
    source,
  );
}
