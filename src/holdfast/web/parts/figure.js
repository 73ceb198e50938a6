// A figure that a program has drawn: a picture, or a chart of a Vega-Lite specification.

import { h } from "../core/dom.js";
import { picture } from "./artifacts.js";
import { chart } from "./chart.js";

export function figure({ path, base64 }) {
  if (!path.endsWith(".vl.json")) return picture("image/png", base64, path);
  try {
    return chart(JSON.parse(textOf(base64)), path);
  } catch {
    return h("p", { class: "muted" }, `${path} is no chart that can be drawn.`);
  }
}

function textOf(base64) {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (each) => each.charCodeAt(0)));
}
