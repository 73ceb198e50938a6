// Two runs side by side, and the cells in which their results differ.

import { get } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { bytes, milliseconds, plural, seconds, when } from "../../core/format.js";
import { link } from "../../core/router.js";
import { badge } from "../../parts/badge.js";
import { dataTable } from "../../parts/table.js";

const MOST_DIFFERENCES = 1000;

const ROWS = [
  ["Status", (run) => badge(run.status)],
  ["What", (run) => run.question ?? run.dataset_id ?? `${run.kind} · ${run.image}`],
  ["Began", (run) => when(run.created_at)],
  ["Wall time", (run) => seconds(run.usage?.wall_seconds)],
  ["Query", (run) => milliseconds(run.exec_time_ms)],
  ["Peak memory", (run) => bytes(run.usage?.memory_peak_bytes)],
  ["Engine", (run) => run.isolation?.engine ?? "–"],
  ["Rows", (run) => (run.result ? String(run.result.total_rows) : "–")],
  ["Data", (run) => h("code", { class: "small" }, (run.dataset_version_hash ?? "–").slice(0, 12))],
  ["Query text", (run) => h("pre", { class: "output small" }, run.compiled_sql ?? run.python_code ?? "–")],
];

export async function comparison(left, right) {
  const runs = await Promise.all([left, right].map((id) => get(`/runs/${encodeURIComponent(id)}`)));
  return h(
    "article",
    { class: "card pad stack" },
    h("h2", {}, "Two runs compared"),
    h(
      "div",
      { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Comparison" },
      h(
        "table",
        { class: "compare" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td", {}),
            ...runs.map(({ run_id: id }) => h("th", { scope: "col" }, h("a", { href: link("runs", [id]) }, id))),
          ),
        ),
        h(
          "tbody",
          {},
          ...ROWS.map(([label, told]) =>
            h("tr", {}, h("th", { scope: "row" }, label), ...runs.map((run) => h("td", {}, told(run)))),
          ),
        ),
      ),
    ),
    differences(...runs.map((run) => run.result)),
  );
}

function differences(left, right) {
  if (!left || !right) return h("p", { class: "muted" }, "Results can be compared when both runs have one.");
  if (JSON.stringify(left.columns) !== JSON.stringify(right.columns))
    return h("p", {}, "The results have other columns.");
  const found = [];
  const length = Math.max(left.rows.length, right.rows.length);
  for (let row = 0; row < length && found.length < MOST_DIFFERENCES; row += 1) found.push(...inRow(row, left, right));
  if (!found.length) return h("p", {}, badge("identical", "identical"), " Every cell is the same.");
  return h(
    "div",
    { class: "stack" },
    h("p", {}, `${plural(found.length, "cell")} differ.`),
    dataTable({ columns: ["row", "column", "left", "right"], rows: found, label: "Differences" }),
  );
}

function inRow(row, left, right) {
  return left.columns
    .map((column, index) => [row + 1, column, left.rows[row]?.[index] ?? null, right.rows[row]?.[index] ?? null])
    .filter(([, , before, after]) => JSON.stringify(before) !== JSON.stringify(after));
}
