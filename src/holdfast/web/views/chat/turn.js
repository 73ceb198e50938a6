// One question and its answer: the stages while it is worked on, then text, chart, table, query and record.

import { get } from "../../core/api.js";
import { h, replace } from "../../core/dom.js";
import { badge } from "../../parts/badge.js";
import { failure } from "../../parts/states.js";
import { answerText } from "./answer.js";
import { results } from "./results.js";

const STAGES = {
  planning: "Planning",
  validating: "Checking the query",
  executing: "Running it in a sandbox",
  repairing: "Mending the query",
  answering: "Writing the answer",
};

export function turn(dataset, question, { ask }) {
  let isOver = false;
  let written = "";
  const stages = h("ol", { class: "stages", "aria-label": "Progress" });
  const text = h("div", { class: "answer-text" });
  const body = h("div", { class: "answer-body" });
  const node = h(
    "article",
    { class: "turn" },
    h("h2", { class: "unseen" }, "Question"),
    h("div", { class: "question", hidden: !question }, question),
    h("div", { class: "answer" }, stages, text, body),
  );
  return { node, tell, answered, failed, cancelled, isOver: () => isOver };

  function tell(type, data) {
    if (type === "status") stage(data);
    if (type === "token") token(data.content);
    if (type === "tool_call") calling(data);
    if (type === "tool_result") called(data);
    if (type === "result") finished(data);
    if (type === "error") failed(failure({ message: data.message, requestId: data.request_id }));
    if (type === "done") {
      isOver = true;
      stages.querySelector(".now")?.classList.remove("now");
      stages.hidden = true;
    }
  }

  function stage({ stage: name, detail }) {
    stages.querySelector(".now")?.classList.remove("now");
    stages.append(
      h("li", { class: "now" }, STAGES[name] ?? name, detail ? h("span", { class: "muted" }, ` ${detail}`) : null),
    );
  }

  function token(content) {
    written += content;
    text.textContent = written;
  }

  function calling({ input }) {
    const query =
      input.sql ??
      input.compiled_sql ??
      input.python_code ??
      input.python ??
      input.code ??
      JSON.stringify(input.plan ?? input, null, 2);
    replace(body, h("pre", { class: "output query-live" }, String(query)));
  }

  function called({ output }) {
    const message = output?.error?.message ?? (typeof output?.error === "string" ? output.error : "");
    if (message) body.append(h("p", { class: "muted small" }, message));
  }

  function finished(answer) {
    isOver = true;
    replace(
      text,
      ...answerText(answer.assistant_message, answer.numbers),
      howRead(answer.details.explanation),
      clarification(answer.clarification),
      notesOf(answer),
    );
    replace(body, results(dataset, question, answer));
    if (answer.run_id && answer.details.query_mode === "python") showFigures(answer);
  }

  // What Python has drawn is in its record.
  async function showFigures(answer) {
    const capsule = await get(`/runs/${encodeURIComponent(answer.run_id)}`).catch(() => null);
    if (capsule?.figures.length) replace(body, results(dataset, question, { ...answer, capsule }));
  }

  // Beside the answer, for who asked for "last month" has to see which that was.
  function howRead(explanation) {
    return explanation ? h("p", { class: "answer-read muted small" }, explanation) : null;
  }

  function notesOf({ status, details }) {
    const state = status === "succeeded" || status === "clarification" ? null : badge(status);
    return state || details.notes.length
      ? h("p", { class: "answer-notes muted small" }, state, " ", details.notes.join(" "))
      : null;
  }

  // What stays of an answer in its thread. The result is in its run, and is fetched when the turn comes into sight.
  function answered({ content, run_id: run, metadata }) {
    isOver = true;
    replace(
      text,
      ...answerText(content, metadata.numbers),
      howRead(metadata.explanation),
      clarification(metadata.clarification),
      notesOf({ status: metadata.status, details: { notes: [] } }),
    );
    if (run) whenSeen(node, () => recall(run, metadata));
    else if (metadata.error) replace(body, h("p", { class: "muted" }, metadata.error.message));
  }

  async function recall(run, metadata) {
    try {
      const capsule = await get(`/runs/${encodeURIComponent(run)}`);
      const chart = metadata.chart
        ? await get(`/runs/${encodeURIComponent(run)}/chart?format=json`).catch(() => null)
        : null;
      replace(
        body,
        results(dataset, question, {
          run_id: run,
          chart,
          capsule,
          usage: metadata.usage,
          details: { planner: metadata.planner, attempts: metadata.attempts, notes: [] },
        }),
      );
    } catch (error) {
      replace(body, h("p", { class: "muted small" }, `Its record is gone: ${error.message}`));
    }
  }

  function clarification(asked) {
    if (!asked?.options.length) return null;
    return h(
      "div",
      { class: "suggestions", role: "group", "aria-label": asked.question },
      ...asked.options.map(({ label }) =>
        h("button", { type: "button", class: "suggestion", onClick: () => ask(label) }, label),
      ),
    );
  }

  function failed(shown) {
    isOver = true;
    stages.hidden = true;
    replace(body, shown);
  }

  function cancelled() {
    isOver = true;
    stages.hidden = true;
    replace(body, h("p", {}, badge("cancelled")));
  }
}

function whenSeen(node, act) {
  const observer = new IntersectionObserver(
    ([entry]) => {
      if (!entry.isIntersecting) return;
      observer.disconnect();
      act();
    },
    { rootMargin: "600px" },
  );
  observer.observe(node);
}
