// Tabs as ARIA describes them: arrow keys move, the panel belongs to its tab.

import { freshId, h } from "../core/dom.js";

export function tabs(label, entries, { selected = entries[0].name, onSelect } = {}) {
  const parts = entries.map((entry) => made(entry));
  const list = h(
    "div",
    { class: "tabs", role: "tablist", "aria-label": label, onKeydown: moved },
    ...parts.map(({ tab }) => tab),
  );
  const node = h("div", { class: "tabbed" }, list, ...parts.map(({ panel }) => panel));
  select(parts.some(({ name }) => name === selected) ? selected : entries[0].name);
  return { node, select, mark };

  function made({ name, title, content }) {
    const [tabId, panelId] = [freshId("tab"), freshId("panel")];
    const note = h("span", { class: "tab-note" });
    const tab = h(
      "button",
      { id: tabId, type: "button", role: "tab", class: "tab", "aria-controls": panelId, onClick: () => chosen(name) },
      title,
      note,
    );
    const panel = h("div", { id: panelId, role: "tabpanel", class: "panel", "aria-labelledby": tabId }, content);
    return { name, tab, panel, note };
  }

  function chosen(name) {
    select(name);
    onSelect?.(name);
  }

  function select(name) {
    for (const part of parts) {
      const isChosen = part.name === name;
      part.tab.setAttribute("aria-selected", String(isChosen));
      part.tab.tabIndex = isChosen ? 0 : -1;
      part.panel.hidden = !isChosen;
    }
  }

  function mark(name, text) {
    parts.find((part) => part.name === name).note.textContent = text;
  }

  function moved(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = parts.findIndex(({ tab }) => tab === event.target);
    const next = parts[(at + step + parts.length) % parts.length];
    chosen(next.name);
    next.tab.focus();
  }
}
