// How files were read: types, conflicts, and the lines that are no rows.

import { h } from "../../core/dom.js";
import { plural, seconds } from "../../core/format.js";
import { badge } from "../../parts/badge.js";
import { dataTable } from "../../parts/table.js";

export function report({ files, seconds: took }) {
  return h(
    "div",
    { class: "stack" },
    ...files.map(fileReport),
    took ? h("p", { class: "muted small" }, `Read in ${seconds(took)}.`) : null,
  );
}

function fileReport(file) {
  const about = [
    file.format,
    file.encoding,
    file.delimiter ? `delimiter ${JSON.stringify(file.delimiter)}` : "",
    plural(file.rows, "row"),
    plural(file.columns.length, "column"),
  ]
    .filter(Boolean)
    .join(" · ");
  return h(
    "section",
    { class: "detail" },
    h(
      "div",
      { class: "row" },
      file.error ? badge("failed") : badge("succeeded", "read"),
      h("strong", { class: "grow ellipsis" }, file.file),
      h("span", { class: "muted small" }, about),
    ),
    file.error ? h("p", {}, file.error) : null,
    file.conflicts.length
      ? h(
          "ul",
          { class: "small" },
          ...file.conflicts.map(({ column, type, note }) => h("li", {}, h("code", {}, column), ` is ${type}: ${note}`)),
        )
      : null,
    file.rejected_lines
      ? h(
          "div",
          { class: "stack" },
          h("p", {}, `${plural(file.rejected_lines, "line is", "lines are")} no row of the table.`),
          dataTable({
            columns: ["line", "reason", "text"],
            rows: file.rejected.map(({ line, reason, text }) => [line, reason, text]),
            label: "Rejected lines",
          }),
        )
      : null,
    file.notes.length ? h("p", { class: "muted small" }, file.notes.join(" ")) : null,
    file.sample_rows.length
      ? dataTable({
          columns: Object.keys(file.sample_rows[0]),
          types: file.columns.map(({ type }) => type),
          rows: file.sample_rows.map((row) => Object.values(row)),
          label: `First rows of ${file.table}`,
        })
      : null,
  );
}
