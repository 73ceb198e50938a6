// One run, whole.

import { download, get, post } from "../../core/api.js";
import { announce } from "../../core/announce.js";
import { h, replace } from "../../core/dom.js";
import { count, milliseconds, plural, when } from "../../core/format.js";
import { go, link } from "../../core/router.js";
import { figure } from "../../parts/figure.js";
import { badge, facts } from "../../parts/badge.js";
import { editor } from "../../parts/editor.js";
import { button } from "../../parts/fields.js";
import { icon } from "../../parts/icons.js";
import { isolationOf, usageOf } from "../../parts/outcome.js";
import { failure, loading } from "../../parts/states.js";
import { dataTable } from "../../parts/table.js";

const EXPORTS = ["csv", "parquet", "json", "ipynb", "sql"];

export async function detail(id) {
  const run = await get(`/runs/${encodeURIComponent(id)}`);
  return run.query_mode ? capsule(run) : record(run);
}

function record(run) {
  return h(
    "article",
    { class: "card pad stack" },
    h("div", { class: "headline flush" }, badge(run.status), h("strong", {}, `${run.kind} · ${run.image}`)),
    facts(
      ["Run", h("code", {}, run.run_id)],
      ["Began", when(run.created_at)],
      ["Ended", run.ended_at ? when(run.ended_at) : "–"],
      ["Key", run.key ?? "local user"],
      run.code ? ["Code", run.code] : null,
    ),
    usageOf({ ...run, exit_code: run.exit_code ?? undefined }),
    isolationOf(run.isolation),
    h("p", { class: "muted small" }, "Code and output of programs are not kept."),
  );
}

function capsule(run) {
  const replayed = h("div", { "aria-live": "polite" });
  return h(
    "article",
    { class: "card pad stack" },
    h(
      "div",
      { class: "headline flush" },
      badge(run.status),
      h("strong", { class: "grow" }, run.question || `${run.query_mode} of ${run.dataset_id}`),
    ),
    h(
      "div",
      { class: "row wrap" },
      button("Replay", () => replay(run, replayed), { picture: icon("replay"), kind: "primary" }),
      h("span", { class: "muted small" }, "Save as"),
      ...EXPORTS.filter((kind) => isOffered(run, kind)).map((kind) =>
        h("button", { type: "button", class: "chip", onClick: () => exported(run, kind, replayed) }, kind),
      ),
    ),
    replayed,
    h("h2", { class: "unseen" }, "Result"),
    resultOf(run),
    query(run),
    facts(
      ["Run", h("code", {}, run.run_id)],
      ["Dataset", h("a", { href: link("datasets", [run.dataset_id]) }, run.dataset_id)],
      ["Began", when(run.created_at)],
      ["Query", milliseconds(run.exec_time_ms)],
      ["Key", run.key ?? "local user"],
      run.replay_of ? ["Replay of", h("a", { href: link("runs", [run.replay_of]) }, run.replay_of)] : null,
    ),
    usageOf(run),
    isolationOf(run.isolation),
    Object.keys(run.libraries).length
      ? h(
          "p",
          { class: "muted small" },
          Object.entries(run.libraries)
            .map(([name, version]) => `${name} ${version}`)
            .join(", "),
        )
      : null,
  );
}

function isOffered(run, kind) {
  if (kind === "sql") return Boolean(run.compiled_sql);
  return kind === "ipynb" || Boolean(run.result);
}

export function resultOf(run) {
  const { result, error, stdout, stderr, figures } = run;
  return h(
    "div",
    { class: "stack" },
    error
      ? h(
          "div",
          { class: "failure" },
          h("strong", {}, error.code.replaceAll("_", " ").toLowerCase()),
          h("p", {}, error.message),
          error.hint ? h("p", { class: "muted" }, error.hint) : null,
        )
      : null,
    result
      ? dataTable({ columns: result.columns, types: result.column_types, rows: result.rows, total: result.total_rows })
      : null,
    result?.truncated
      ? h("p", { class: "muted small" }, `${plural(result.row_count, "row")} of ${count(result.total_rows)} are kept.`)
      : null,
    ...figures.map(figure),
    stdout || stderr ? h("pre", { class: "output", tabindex: "0" }, stdout, stderr) : null,
  );
}

// The plan, the SQL or the Python of a run, which can be changed and run anew.
function query(run) {
  const kind = run.query_mode;
  const text =
    kind === "python" ? run.python_code : kind === "plan" ? JSON.stringify(run.plan_json, null, 2) : run.compiled_sql;
  const place = h("div", {});
  const code = editor({
    value: text ?? "",
    language: kind === "plan" ? "json" : kind,
    label: "Query",
    minLines: 4,
    onRun: again,
  });
  return h(
    "section",
    { class: "detail" },
    h(
      "div",
      { class: "row" },
      h("h3", { class: "grow" }, { plan: "Plan", sql: "SQL", python: "Python" }[kind]),
      button("Run it anew", again, { picture: icon("play") }),
    ),
    h("div", { class: "card" }, code.node),
    kind === "plan" && run.compiled_sql
      ? h(
          "details",
          {},
          h("summary", {}, "What it means as SQL"),
          h("pre", { class: "output", tabindex: "0" }, run.compiled_sql),
        )
      : null,
    place,
  );

  async function again() {
    replace(place, loading("Running"));
    try {
      const asked = kind === "plan" ? JSON.parse(code.value) : code.value;
      const made = await post("/runs", {
        dataset_id: run.dataset_id,
        [kind]: asked,
        ...(run.question ? { question: run.question } : {}),
      });
      go("runs", [made.run_id]);
    } catch (error) {
      replace(place, failure(error));
    }
  }
}

async function exported(run, kind, place) {
  try {
    await download(`/runs/${run.run_id}/export/${kind}`, `${run.run_id}.${kind}`);
  } catch (error) {
    replace(place, failure(error));
  }
}

async function replay(run, place) {
  replace(place, loading("Running it again in a fresh sandbox"));
  try {
    const told = await post(`/runs/${run.run_id}/replay`);
    const sentence = {
      identical: "The same result, cell by cell.",
      different: `${plural(told.different_cells, "cell")} differ.`,
      data_changed: "The dataset is another than it was, so nothing can be concluded.",
    }[told.outcome];
    const cells = told.cells.map(({ row, column, before, after }) => [row + 1, column, before ?? null, after ?? null]);
    replace(
      place,
      h(
        "div",
        { class: "notice" },
        badge(told.outcome),
        h("span", {}, sentence),
        told.reordered ? h("span", { class: "muted" }, "The rows came in another order.") : null,
        h("a", { href: link("runs", [told.run_id]) }, "Open the new run"),
      ),
      cells.length
        ? dataTable({ columns: ["row", "column", "before", "after"], rows: cells, label: "Differences" })
        : null,
    );
    announce(sentence);
  } catch (error) {
    replace(place, failure(error));
  }
}
