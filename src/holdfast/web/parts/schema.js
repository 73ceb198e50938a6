// The tables of a dataset, their columns, and what the columns hold. Statistics are counted when a table is opened.

import { get } from "../core/api.js";
import { h, replace } from "../core/dom.js";
import { cell, count, isNumeric, isTime, plural } from "../core/format.js";
import { statistics } from "./statistics.js";
import { failure, loading } from "./states.js";

export function schemaBrowser(id, { onColumn, isOpen = false } = {}) {
  const node = h("div", { class: "schema" }, loading("Reading the schema"));
  fill();
  return node;

  async function fill() {
    try {
      const schema = await get(`/datasets/${encodeURIComponent(id)}/schema`);
      replace(node, ...schema.files.map((table) => tableOf(table, schema.version_hash)));
    } catch (error) {
      replace(node, failure(error, fill));
    }
  }

  function tableOf(table, version) {
    const places = new Map(Object.keys(table.schema).map((name) => [name, h("div", {})]));
    const columns = Object.entries(table.schema).map(([name, column]) =>
      columnOf(table, name, column, places.get(name)),
    );
    const note = h("div", {});
    let isCounted = false;
    return h(
      "details",
      { class: "schema-table", open: isOpen, onToggle: countOnce },
      h(
        "summary",
        {},
        h("span", { class: "grow ellipsis" }, table.name),
        h("span", { class: "muted small nowrap" }, plural(table.row_count, "row")),
      ),
      table.description ? h("p", { class: "muted small" }, table.description) : null,
      note,
      h("ul", { class: "columns" }, ...columns),
    );

    async function countOnce() {
      if (isCounted) return;
      isCounted = true;
      replace(note, h("p", { class: "muted small pad-line", role: "status" }, "Counting what the columns hold…"));
      try {
        for (const [name, told] of await statistics(id, version, table.name))
          replace(places.get(name), statisticsOf(told, table.schema[name].type, table.row_count));
        replace(note);
      } catch (error) {
        replace(note, h("p", { class: "muted small pad-line" }, `No statistics: ${error.message}`));
      }
    }
  }

  function columnOf(table, name, column, place) {
    const head = [h("span", { class: "column-name ellipsis" }, name), h("span", { class: "type" }, short(column.type))];
    return h(
      "li",
      { class: "column" },
      onColumn
        ? h(
            "button",
            {
              type: "button",
              class: "column-head",
              title: `Put ${name} into the question`,
              onClick: () => onColumn(name, table.name),
            },
            ...head,
          )
        : h("div", { class: "column-head" }, ...head),
      column.description ? h("p", { class: "muted small" }, column.description) : null,
      place,
    );
  }
}

function statisticsOf({ min, max, distinct, nulls, mean }, type, rows) {
  const isRange = isNumeric(type) || isTime(type);
  const parts = [];
  if (min !== null)
    parts.push(isRange ? `${cell(min, type)} – ${cell(max, type)}` : `${short(min, 18)} … ${short(max, 18)}`);
  if (mean !== null && isNumeric(type)) parts.push(`mean ${cell(mean, "DOUBLE")}`);
  if (distinct !== null) parts.push(`≈ ${count(Math.min(distinct, rows))} distinct`);
  if (nulls > 0) parts.push(`${nulls} % null`);
  const bar = h("span", { class: "fill", role: "img", "aria-label": `${100 - nulls} % filled` }, h("span", {}));
  bar.firstChild.style.width = `${100 - nulls}%`;
  return h("div", { class: "column-stats small muted" }, bar, parts.join(" · "));
}

function short(text, most = 22) {
  const full = String(text);
  return full.length > most ? `${full.slice(0, most - 1)}…` : full;
}
