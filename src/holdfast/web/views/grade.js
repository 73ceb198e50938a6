// A submission and its tests, and the verdicts as they are reached.

import { isAbort, stream } from "../core/api.js";
import { announce } from "../core/announce.js";
import { h, replace } from "../core/dom.js";
import { load, store } from "../core/state.js";
import { badge } from "../parts/badge.js";
import { editor } from "../parts/editor.js";
import { button, titled } from "../parts/fields.js";
import { icon } from "../parts/icons.js";
import { headline, isolationOf, usageOf } from "../parts/outcome.js";
import { output } from "../parts/output.js";
import { empty, failure } from "../parts/states.js";
import { tabs } from "../parts/tabs.js";
import { SUBMISSION, TESTS } from "./grade/example.js";
import { testList } from "./grade/tests.js";

const NAME = "grade";

export function create() {
  const saved = load(NAME, { code: SUBMISSION, tests: TESTS });
  let running = null;
  const code = editor({
    value: saved.code,
    language: "python",
    label: "Submission",
    minLines: 14,
    onChange: keep,
    onRun: grade,
  });
  const tests = testList(saved.tests, () => (keep(), input.mark("tests", tests.value().length)));
  const input = tabs("Submission", [
    { name: "code", title: "Submission", content: code.node },
    { name: "tests", title: "Tests", content: h("div", { class: "pad" }, tests.node) },
  ]);
  input.mark("tests", saved.tests.length);
  const gradeButton = button("Grade", grade, { kind: "primary", picture: icon("check"), title: "Ctrl+Enter" });
  const results = h(
    "div",
    { class: "results" },
    empty("check", "Not graded yet", "Press Ctrl+Enter. What is expected never enters the sandbox of the submission."),
  );
  const node = h(
    "div",
    { class: "view wide" },
    titled("Grade", "Run a Python submission against tests and get a verdict on each."),
    h(
      "div",
      { class: "split" },
      h(
        "section",
        { class: "card", "aria-label": "Submission and tests" },
        h(
          "div",
          { class: "bar" },
          h("span", { class: "muted" }, "Python"),
          h("span", { class: "grow" }),
          h("kbd", { class: "hint" }, "Ctrl ↵"),
          gradeButton,
        ),
        input.node,
      ),
      h("section", { class: "card", "aria-label": "Verdicts" }, results),
    ),
  );
  return { node };

  function keep() {
    store(NAME, { code: code.value, tests: tests.value() });
  }

  async function grade() {
    if (running) return;
    const wanted = tests.value();
    running = new AbortController();
    gradeButton.disabled = true;
    const rows = wanted.map((test, number) =>
      h(
        "li",
        { class: "verdict waiting" },
        h("span", { class: "spinner", "aria-hidden": "true" }),
        h("span", { class: "grow" }, test.description || `Test ${number + 1}`),
      ),
    );
    const head = h("div", { class: "headline" }, badge("running"));
    const rest = h("div", { class: "stack pad" });
    replace(results, head, h("ol", { class: "verdicts" }, ...rows), rest);
    try {
      for await (const { type, data } of stream(
        "/run/stream",
        { code: code.value, image: "python", tests: wanted },
        { signal: running.signal },
      )) {
        if (type === "verdict")
          rows[data.number].replaceWith((rows[data.number] = verdictRow(data.verdict, data.number)));
        if (type === "graded") told(data.result, head, rest);
        if (type === "error") throw Object.assign(new Error(data.detail), data);
      }
    } catch (error) {
      replace(
        results,
        isAbort(error) ? empty("check", "Not graded", "The grading was cancelled.") : failure(error, grade),
      );
    } finally {
      running = null;
      gradeButton.disabled = false;
    }
  }
}

function told(result, head, rest) {
  const passed = result.testResults.filter((verdict) => verdict.passed).length;
  const sentence = `${passed} of ${result.testResults.length} passed, ${result.points} of ${result.max_points} points`;
  replace(head, badge(result.allPassed ? "passed" : "failed"), h("strong", {}, sentence));
  announce(sentence);
  const log = output();
  log.write("stdout", result.stdout);
  log.write("stderr", result.stderr);
  replace(
    rest,
    h("h2", { class: "unseen" }, "Details"),
    h("h3", {}, "The run itself"),
    h("div", { class: "row wrap" }, ...headline(result)),
    log.isEmpty ? null : log.node,
    usageOf(result),
    isolationOf(result.isolation),
  );
}

function verdictRow(verdict, number) {
  const title = verdict.description || `Test ${number + 1}`;
  const details =
    verdict.hidden || verdict.passed
      ? null
      : h(
          "dl",
          { class: "facts" },
          pair("Expected", verdict.expected),
          pair("Actual", verdict.actual),
          verdict.error ? pair("Error", verdict.error) : null,
        );
  return h(
    "li",
    { class: `verdict ${verdict.passed ? "passed" : "failed"}` },
    h("span", { class: "verdict-mark", "aria-hidden": "true" }, icon(verdict.passed ? "check" : "close")),
    h(
      "div",
      { class: "grow" },
      h(
        "div",
        {},
        h("span", { class: "unseen" }, verdict.passed ? "Passed: " : "Failed: "),
        title,
        verdict.hidden ? h("span", { class: "muted small" }, " hidden") : null,
      ),
      details,
    ),
    h("span", { class: "muted small nowrap" }, `${verdict.points} / ${verdict.max_points}`),
  );
}

function pair(label, value) {
  return h(
    "div",
    { class: "fact wide" },
    h("dt", {}, label),
    h("dd", {}, h("code", {}, typeof value === "string" ? value : (JSON.stringify(value) ?? "–"))),
  );
}
