// The API key: asked for once, when a route wants one, and kept for this tab or, if wished, on this device.

import { h } from "./dom.js";

const NAME = "holdfast.key";
let asking = null;

export function currentKey() {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "";
}

export function forgetKey() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

// Resolves when a key was given; whoever asks meanwhile waits for the same answer. Throws AbortError.
export function askForKey(wasWrong) {
  asking ??= ask(wasWrong).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(wasWrong) {
  forgetKey();
  const field = h("input", {
    id: "key-field",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
  });
  const remember = h("input", { type: "checkbox", id: "key-remember" });
  const form = h(
    "form",
    { method: "dialog", class: "stack" },
    h("h2", { id: "key-title" }, "This server asks for an API key"),
    h("p", { class: "muted" }, wasWrong ? "The key was not valid. Try another one." : "The operator makes one with "),
    wasWrong ? null : h("p", {}, h("code", {}, "holdfast keys add NAME")),
    h("label", { for: "key-field" }, "API key"),
    field,
    h("label", { class: "check" }, remember, "Keep it on this device"),
    h(
      "div",
      { class: "row end" },
      h("button", { class: "button", type: "button", onClick: () => dialog.close() }, "Cancel"),
      h("button", { class: "button primary", value: "ok" }, "Use this key"),
    ),
  );
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "key-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "ok" ? field.value.trim() : "";
      dialog.remove();
      if (!given) return reject(new DOMException("No key was given.", "AbortError"));
      (remember.checked ? localStorage : sessionStorage).setItem(NAME, given);
      resolve();
    });
  });
}
