// What a program wrote, as it writes it.

import { h } from "../core/dom.js";

const MOST_CHARACTERS = 400_000;

export function output(label = "Output") {
  const node = h("pre", { class: "output", role: "log", "aria-label": label, tabindex: "0" });
  let size = 0;
  return {
    node,
    write,
    clear,
    get isEmpty() {
      return size === 0;
    },
  };

  function write(stream, text) {
    if (!text || size > MOST_CHARACTERS) return;
    const isAtEnd = node.scrollTop + node.clientHeight >= node.scrollHeight - 24;
    size += text.length;
    const last = node.lastChild;
    const shown =
      size > MOST_CHARACTERS ? `${text.slice(0, 2000)}\n… The page shows no more; the result has it.` : text;
    if (last?.dataset.stream === stream) last.append(shown);
    else node.append(h("span", { class: stream, data: { stream } }, shown));
    if (isAtEnd) node.scrollTop = node.scrollHeight;
  }

  function clear() {
    node.replaceChildren();
    size = 0;
  }
}
