// Fields with their labels.

import { freshId, h } from "../core/dom.js";

export function labelled(label, control, hint) {
  control.id ||= freshId("field");
  return h(
    "div",
    { class: "field" },
    h("label", { for: control.id }, label),
    control,
    hint ? h("span", { class: "muted small" }, hint) : null,
  );
}

export function choice(options, props = {}) {
  return h(
    "select",
    props,
    ...options.map(({ value, title, isDisabled }) => h("option", { value, disabled: isDisabled ?? false }, title)),
  );
}

export function button(text, onClick, { picture, kind = "", ...props } = {}) {
  return h("button", { type: "button", class: `button ${kind}`, onClick, ...props }, picture ?? null, text);
}

export function titled(title, text, ...actions) {
  return h(
    "header",
    { class: "view-head" },
    h("div", {}, h("h1", {}, title), h("p", { class: "muted" }, text)),
    actions.length ? h("div", { class: "row" }, ...actions) : null,
  );
}
