// The form of a new task: an instruction for an agent, or the document of a workflow.

import { post } from "../../core/api.js";
import { h, replace } from "../../core/dom.js";
import { go } from "../../core/router.js";
import { load, store } from "../../core/state.js";
import { editor } from "../../parts/editor.js";
import { button, labelled } from "../../parts/fields.js";
import { fileList } from "../../parts/files.js";
import { icon } from "../../parts/icons.js";
import { failure } from "../../parts/states.js";
import { tabs } from "../../parts/tabs.js";

const KEPT = "task.new";
const TOOLS = ["read_file", "write_file", "list_files", "grep", "shell", "run_code", "query_dataset"];
const CHOSEN = TOOLS.slice(0, 5);
const WORKFLOW = JSON.stringify(
  {
    steps: [
      { name: "Count", run: "for n in 1 2 3; do echo \"line $n\"; sleep 1; done" },
      { name: "Keep a note", run: "date > note.txt && cat note.txt" },
    ],
  },
  null,
  2,
);

export function submission() {
  const saved = load(KEPT, { kind: "workflow", workflow: WORKFLOW, prompt: "", model: "", asks: true, tools: CHOSEN });
  const workflow = editor({
    value: saved.workflow,
    language: "json",
    label: "Workflow",
    minLines: 14,
    onChange: keep,
    onRun: send,
  });
  const prompt = h("textarea", {
    rows: "6",
    value: saved.prompt,
    onInput: keep,
    placeholder: "What is to be done, as you would tell a colleague",
    onKeydown: (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(),
  });
  const model = h("input", { value: saved.model, onInput: keep, placeholder: "the server's own choice" });
  const asks = h("input", { type: "checkbox", checked: saved.asks, onChange: keep });
  const tools = TOOLS.map((name) => [
    name,
    h("input", { type: "checkbox", checked: saved.tools.includes(name), onChange: keep }),
  ]);
  const files = fileList(() => {});
  const kind = tabs(
    "Kind of task",
    [
      { name: "workflow", title: "Workflow", content: workflow.node },
      { name: "agent", title: "Agent", content: h("div", { class: "pad stack" }, ...agentFields()) },
    ],
    { selected: saved.kind, onSelect: (name) => ((saved.kind = name), keep()) },
  );
  const told = h("div", { class: "pad" });
  const start = button("Start", send, { kind: "primary", picture: icon("play"), title: "Ctrl+Enter" });
  return h(
    "section",
    { class: "card", "aria-label": "New task" },
    kind.node,
    h("div", { class: "pad stack" }, h("p", { class: "muted small" }, "Files of the workspace"), files.node),
    h("div", { class: "bar" }, h("span", { class: "grow" }), h("kbd", { class: "hint" }, "Ctrl ↵"), start),
    told,
  );

  function agentFields() {
    return [
      labelled("Instruction", prompt),
      labelled("Model", model),
      h(
        "fieldset",
        { class: "choices" },
        h("legend", {}, "Tools it may use"),
        ...tools.map(([name, box]) => h("label", { class: "row small" }, box, h("code", {}, name))),
      ),
      h("label", { class: "row small" }, asks, "Ask before each call that changes or runs something"),
    ];
  }

  function chosenTools() {
    return tools.filter(([, box]) => box.checked).map(([name]) => name);
  }

  function keep() {
    store(KEPT, {
      kind: saved.kind,
      workflow: workflow.value,
      prompt: prompt.value,
      model: model.value,
      asks: asks.checked,
      tools: chosenTools(),
    });
  }

  function asked() {
    const given = files.value();
    const workspace = Object.keys(given).length ? { workspace: { files: given } } : {};
    if (saved.kind === "workflow") return { type: "workflow", ...JSON.parse(workflow.value), ...workspace };
    return {
      type: "agent",
      messages: [{ role: "user", content: prompt.value }],
      tools: chosenTools(),
      approvals: asks.checked ? "ask" : "auto",
      ...(model.value ? { model: model.value } : {}),
      ...workspace,
    };
  }

  async function send() {
    replace(told);
    start.disabled = true;
    try {
      const { id } = await post("/tasks", asked());
      go("tasks", [id]);
    } catch (error) {
      replace(told, failure(error));
    } finally {
      start.disabled = false;
    }
  }
}
