// Something shown, in the format that says most and can be shown safely. HTML is never made into a document of ours: a
// table in it is read and drawn anew as text, and everything else of it is its plain text.

import { h } from "../../core/dom.js";
import { picture } from "../../parts/artifacts.js";
import { chart } from "../../parts/chart.js";
import { dataTable } from "../../parts/table.js";
import { tableOf } from "./html.js";

const VEGA_LITE = "application/vnd.vegalite.";
const NAMELESS = /^<[\w.]+ object>$/;
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export function bundle(data) {
  const drawing = Object.keys(data).find((each) => each.startsWith(VEGA_LITE));
  if (drawing) return chart(data[drawing], data["text/plain"] ?? "Chart");
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
  const written = data["text/markdown"] ?? data["text/latex"];
  const plain = data["text/plain"];
  // Of what is written in Markdown or LaTeX, the plain text is often but the name of an object.
  return String((NAMELESS.test(plain) ? written : null) ?? plain ?? written ?? JSON.stringify(data, null, 2));
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
