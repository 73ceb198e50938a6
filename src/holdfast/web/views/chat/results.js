// What an answer rests on: chart, table, query, record. The query can be changed and run; what that says stands below.

import { download, get, post } from "../../core/api.js";
import { h, replace } from "../../core/dom.js";
import { count, milliseconds, plural } from "../../core/format.js";
import { link } from "../../core/router.js";
import { facts } from "../../parts/badge.js";
import { chart as drawn } from "../../parts/chart.js";
import { editor } from "../../parts/editor.js";
import { button, choice } from "../../parts/fields.js";
import { figure } from "../../parts/figure.js";
import { icon } from "../../parts/icons.js";
import { isolationOf, usageOf } from "../../parts/outcome.js";
import { failure, loading } from "../../parts/states.js";
import { dataTable } from "../../parts/table.js";
import { tabs } from "../../parts/tabs.js";

const EXPORTS = ["csv", "parquet", "json", "ipynb"];
const MARKS = ["bar", "line", "area", "point", "arc"];
const PLANNERS = {
  sql: "you, as SQL",
  python: "you, as Python",
  suggested: "a stored plan",
  simple: "the rules for simple questions",
  model: "a language model",
};
const TITLES = { plan: "Plan", sql: "SQL", python: "Python" };

export function results(dataset, question, answer) {
  if (!answer.run_id) return null;
  const shown = answer.capsule ? fromCapsule(answer.capsule) : fromAnswer(answer);
  const entries = [
    answer.chart ? { name: "chart", title: "Chart", content: chartPanel(answer) } : null,
    outputEntry(shown),
    ...queryTabs(dataset, question, shown),
    { name: "record", title: "Record", content: recordPanel(answer) },
  ].filter(Boolean);
  const made = tabs("What the answer rests on", entries);
  if (shown.table) made.mark("table", count(shown.table.total));
  return h(
    "div",
    { class: "stack" },
    problem(shown.error),
    h("div", { class: "card result-card" }, made.node, exportsOf(answer.run_id, shown)),
  );
}

function outputEntry(shown) {
  if (shown.table) return { name: "table", title: "Table", content: outputPanel(shown) };
  return hasOutput(shown) ? { name: "output", title: "Output", content: outputPanel(shown) } : null;
}

function hasOutput({ table, printed, figures }) {
  return Boolean(table || printed || figures.length);
}

function tableOf(result) {
  return result?.columns.length
    ? { columns: result.columns, types: result.column_types, rows: result.rows, total: result.total_rows }
    : null;
}

function fromAnswer({ result, details }) {
  return {
    table: tableOf(result),
    error: result.error,
    printed: result.stdout_trunc,
    figures: [],
    mode: details.query_mode,
    plan: details.plan_json,
    sql: details.compiled_sql,
    python: details.python_code,
  };
}

export function fromCapsule(run) {
  return {
    table: tableOf(run.result),
    error: run.error,
    printed: run.stdout,
    figures: run.figures,
    mode: run.query_mode,
    plan: run.plan_json,
    sql: run.compiled_sql,
    python: run.python_code,
  };
}

function problem(error) {
  return error
    ? h(
        "div",
        { class: "failure" },
        h("strong", {}, error.code.replaceAll("_", " ").toLowerCase()),
        h("p", {}, error.message),
        error.hint ? h("p", { class: "muted" }, error.hint) : null,
      )
    : null;
}

function outputPanel({ table, printed, figures }) {
  return h(
    "div",
    { class: "stack tight" },
    table ? dataTable(table) : null,
    ...figures.map(figure),
    printed ? h("pre", { class: "output", tabindex: "0" }, printed) : null,
  );
}

function chartPanel({ run_id: run, chart }) {
  const place = h("div", {}, drawn(chart.spec, labelOf(chart)));
  const mark = choice(
    [{ value: "", title: "Automatic" }, ...MARKS.map((value) => ({ value, title: value === "arc" ? "pie" : value }))],
    { "aria-label": "Kind of chart", onChange: change },
  );
  return h(
    "div",
    { class: "pad stack" },
    place,
    h(
      "div",
      { class: "row end" },
      mark,
      ...["png", "svg"].map((format) =>
        button(format.toUpperCase(), () => saveAs(format), { picture: icon("download") }),
      ),
    ),
  );

  function address(format) {
    return `/runs/${encodeURIComponent(run)}/chart?format=${format}${mark.value ? `&mark=${mark.value}` : ""}`;
  }

  async function change() {
    try {
      const told = await get(address("json"));
      replace(place, drawn(told.spec, labelOf(told)));
    } catch (error) {
      replace(place, failure(error));
    }
  }

  function saveAs(format) {
    download(address(format), `${run}.${format}`).catch((error) => replace(place, failure(error)));
  }
}

function labelOf({ choice: { mark, x, y, title } }) {
  return title || `${mark} chart${y ? ` of ${y.column}` : ""}${x ? ` by ${x.column}` : ""}; the table has its numbers`;
}

function queryTabs(dataset, question, { mode, plan, sql, python }) {
  const found = [
    ["plan", plan && JSON.stringify(plan, null, 2), "json"],
    ["sql", sql, "sql"],
    ["python", python, "python"],
  ].filter(([, text]) => text);
  return found.map(([name, text, language]) => ({
    name,
    title: TITLES[name],
    content: lazily(() => queryPanel(dataset, question, { name, text, language, isCompiled: name !== mode })),
  }));
}

// Editors are made when their tab is looked at.
function lazily(make) {
  const place = h("div", {});
  new IntersectionObserver(([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    replace(place, make());
  }).observe(place);
  place.style.minHeight = "40px";
  return place;
}

function queryPanel(dataset, question, { name, text, language, isCompiled }) {
  const below = h("div", { class: "stack", "aria-live": "polite" });
  const code = editor({ value: text, language, label: TITLES[name], minLines: 4, onRun: run });
  return h(
    "div",
    {},
    code.node,
    h(
      "div",
      { class: "bar foot" },
      h(
        "span",
        { class: "muted small grow" },
        isCompiled ? "What the plan means. Change it and run it as SQL." : "Change it and run it.",
      ),
      h("kbd", { class: "hint" }, "Ctrl ↵"),
      button("Run", run, { picture: icon("play"), kind: "primary" }),
    ),
    below,
  );

  async function run() {
    replace(below, loading("Running"));
    try {
      const made = await post("/runs", {
        dataset_id: dataset.id,
        question,
        [name]: name === "plan" ? JSON.parse(code.value) : code.value,
      });
      const shown = fromCapsule(made);
      replace(
        below,
        h(
          "div",
          { class: "pad stack" },
          problem(shown.error),
          hasOutput(shown) ? outputPanel(shown) : null,
          h("a", { class: "small", href: link("runs", [made.run_id]) }, "Open its record"),
        ),
      );
    } catch (error) {
      replace(below, failure(error));
    }
  }
}

function recordPanel(answer) {
  const place = h("div", { class: "pad stack" });
  new IntersectionObserver(([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    fill();
  }).observe(place);
  place.style.minHeight = "40px";
  return place;

  async function fill() {
    replace(place, loading("Opening the record"));
    try {
      const run = answer.capsule ?? (await get(`/runs/${encodeURIComponent(answer.run_id)}`));
      const { planner, attempts } = answer.details;
      replace(
        place,
        facts(
          ["Run", h("a", { href: link("runs", [run.run_id]) }, run.run_id)],
          ["Planned by", PLANNERS[planner] ?? "–"],
          attempts > 1 ? ["Attempts", String(attempts)] : null,
          ["Query", milliseconds(run.exec_time_ms)],
          tokens(answer.usage),
        ),
        usageOf(run),
        isolationOf(run.isolation),
      );
    } catch (error) {
      replace(place, failure(error));
    }
  }
}

function tokens(usage) {
  if (!usage) return null;
  const cost = usage.cost_usd === null ? "" : `, $${usage.cost_usd.toFixed(4)}`;
  return ["Model", `${usage.model}: ${plural(usage.input_tokens + usage.output_tokens, "token")}${cost}`];
}

function exportsOf(run, { table, sql }) {
  const kinds = [...(table ? EXPORTS : []), ...(sql ? ["sql"] : [])];
  const place = h("span", { class: "small muted" });
  const save = (kind) =>
    download(`/runs/${encodeURIComponent(run)}/export/${kind}`, `${run}.${kind}`).catch((error) =>
      replace(place, error.message),
    );
  return kinds.length
    ? h(
        "div",
        { class: "bar foot exports" },
        h("span", { class: "muted small" }, "Save as"),
        ...kinds.map((kind) => h("button", { type: "button", class: "chip", onClick: () => save(kind) }, kind)),
        place,
      )
    : null;
}
