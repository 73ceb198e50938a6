// What a place shows while there is nothing, not yet, or something went wrong.

import { h } from "../core/dom.js";
import { icon } from "./icons.js";

export function loading(what = "Loading") {
  return h(
    "div",
    { class: "state", role: "status" },
    h("span", { class: "spinner", "aria-hidden": "true" }),
    h("span", {}, `${what}…`),
  );
}

export function empty(picture, title, text, ...actions) {
  return h(
    "div",
    { class: "state empty" },
    h("span", { class: "state-icon" }, icon(picture)),
    h("h2", {}, title),
    h("p", { class: "muted" }, text),
    actions.length ? h("div", { class: "row" }, ...actions) : null,
  );
}

// A Problem of the server, or our own failure, with what can be told to whoever runs the server.
export function failure(error, again) {
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("strong", {}, titleOf(error)),
    h("p", {}, error.message),
    error.requestId ? h("p", { class: "muted small" }, "Request ", h("code", {}, error.requestId)) : null,
    again ? h("button", { class: "button", onClick: again }, "Try again") : null,
  );
}

function titleOf(error) {
  if (error.name === "AbortError") return "Nothing was done";
  if (error.status === 429) return "The server is busy";
  return error.status ? "The server refused this" : "Something went wrong";
}
