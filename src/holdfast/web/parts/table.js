// A table of a result. However many rows it has, only those in sight are in the document.

import { h, replace } from "../core/dom.js";
import { cell, count, isNumeric } from "../core/format.js";
import { icon } from "./icons.js";

const ROW_PIXELS = 32;
const MARGIN_ROWS = 12;
const PAGE_ROWS = 100;
const MOST_CHARACTERS = 300;

// `rows` are lists; `total` counts all there are, also those that were not returned.
export function dataTable({ columns, types = [], rows, total = rows.length, label = "Result" }) {
  let order = rows.map((_, index) => index);
  let sorting = { column: -1, isUp: true };
  let first = -1;
  const body = h("tbody");
  const headings = columns.map(heading);
  const head = h(
    "thead",
    {},
    h(
      "tr",
      { "aria-rowindex": "1" },
      h("th", { class: "row-number", scope: "col" }, h("span", { class: "unseen" }, "Row")),
      ...headings,
    ),
  );
  const table = h(
    "table",
    { class: "data", "aria-label": label, "aria-rowcount": String(rows.length + 1) },
    head,
    body,
  );
  const scroller = h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `${label}, scrollable`, onScroll: draw },
    table,
  );
  const where = h("span", { class: "muted small", "aria-live": "polite" });
  const back = h(
    "button",
    { class: "icon-button flip", type: "button", "aria-label": "Page back", onClick: () => turn(-1) },
    icon("chevron"),
  );
  const on = h(
    "button",
    { class: "icon-button", type: "button", "aria-label": "Next page", onClick: () => turn(1) },
    icon("chevron"),
  );
  const node = h(
    "div",
    { class: "data-table" },
    scroller,
    h("div", { class: "table-foot" }, where, h("span", { class: "row" }, back, on)),
  );
  draw();
  new ResizeObserver(() => draw()).observe(scroller);
  return node;

  function heading(name, column) {
    const mark = h("span", { class: "sort-mark", "aria-hidden": "true" });
    const button = h(
      "button",
      {
        type: "button",
        class: "sort",
        title: types[column] ?? "",
        // As pandas leaves the index of a frame.
        "aria-label": String(name).trim() ? undefined : `Column ${column + 1}, without a name`,
        onClick: () => sort(column),
      },
      h("span", {}, name),
      mark,
    );
    return h("th", { scope: "col", class: isNumeric(types[column]) ? "number" : "" }, button);
  }

  function sort(column) {
    sorting = { column, isUp: sorting.column === column ? !sorting.isUp : true };
    const sign = sorting.isUp ? 1 : -1;
    const isNumber = isNumeric(types[column]);
    order = rows
      .map((_, index) => index)
      .sort((left, right) => compared(rows[left][column], rows[right][column], isNumber, sign) || left - right);
    for (const [index, each] of headings.entries()) {
      const isChosen = index === column;
      if (isChosen) each.setAttribute("aria-sort", sorting.isUp ? "ascending" : "descending");
      else each.removeAttribute("aria-sort");
      each.querySelector(".sort-mark").textContent = isChosen ? (sorting.isUp ? "↑" : "↓") : "";
    }
    first = -1;
    draw();
  }

  function inSight() {
    return Math.max(1, Math.floor(((scroller.clientHeight || 420) - ROW_PIXELS) / ROW_PIXELS));
  }

  function turn(step) {
    scroller.scrollTop += step * Math.min(PAGE_ROWS, Math.max(1, rows.length - inSight())) * ROW_PIXELS;
  }

  function draw() {
    const top = Math.floor(scroller.scrollTop / ROW_PIXELS);
    const from = Math.max(0, top - MARGIN_ROWS);
    tell(top);
    if (from === first && body.children.length) return;
    first = from;
    const to = Math.min(rows.length, top + inSight() + MARGIN_ROWS);
    replace(
      body,
      spacer(from),
      ...order.slice(from, to).map((index, place) => line(index, from + place)),
      spacer(rows.length - to),
    );
  }

  function line(index, place) {
    const cells = rows[index].map((value, column) =>
      h(
        "td",
        { class: classOf(value, types[column]), title: titleOf(value, types[column]) },
        shown(value, types[column]),
      ),
    );
    return h(
      "tr",
      { "aria-rowindex": String(place + 2), class: place % 2 ? "odd" : "" },
      h("td", { class: "row-number" }, String(place + 1)),
      ...cells,
    );
  }

  function spacer(rowsLeftOut) {
    if (rowsLeftOut <= 0) return null;
    const gap = h("tr", { "aria-hidden": "true", class: "gap" }, h("td", { colspan: String(columns.length + 1) }));
    gap.firstChild.style.height = `${rowsLeftOut * ROW_PIXELS}px`;
    return gap;
  }

  function tell(top) {
    const last = Math.min(rows.length, top + inSight());
    const span = rows.length ? `${count(top + 1)}–${count(last)} of ${count(rows.length)}` : "No rows";
    where.textContent =
      total > rows.length
        ? `${span} returned, ${count(total)} in all`
        : `${span}${rows.length ? (rows.length === 1 ? " row" : " rows") : ""}`;
    back.disabled = top === 0;
    on.disabled = last >= rows.length;
  }
}

function compared(left, right, isNumber, sign) {
  if (left === null || right === null) return (left === null) - (right === null);
  if (isNumber) return sign * (Number(left) - Number(right));
  if (typeof left === "number" && typeof right === "number") return sign * (left - right);
  return sign * shown(left).localeCompare(shown(right), "en", { numeric: true });
}

function shown(value, type) {
  const text = cell(value, type);
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

function classOf(value, type) {
  if (value === null) return isNumeric(type) ? "null number" : "null";
  return isNumeric(type) ? "number" : "";
}

function titleOf(value, type) {
  if (value === null || value === undefined) return undefined;
  const full = typeof value === "object" ? JSON.stringify(value) : String(value);
  return full === cell(value, type) && full.length < 24 ? undefined : full.slice(0, 4000);
}
