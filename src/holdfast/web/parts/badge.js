// How something ended, in a word and a colour.

import { h } from "../core/dom.js";

const TONES = {
  succeeded: "good",
  passed: "good",
  identical: "good",
  ok: "good",
  idle: "good",
  running: "busy",
  queued: "busy",
  busy: "busy",
  starting: "busy",
  cancelled: "plain",
  data_changed: "warn",
  degraded: "warn",
  rejected: "warn",
};

export function badge(status, text = status) {
  return h("span", { class: `badge ${TONES[status] ?? "bad"}` }, String(text).replaceAll("_", " "));
}

export function fact(label, value) {
  return h("div", { class: "fact" }, h("dt", {}, label), h("dd", {}, value));
}

export function facts(...pairs) {
  return h("dl", { class: "facts" }, ...pairs.filter(Boolean).map(([label, value]) => fact(label, value)));
}
