// The events of a task as people read them: steps with their output, what a model said, its calls, what it asks.

import { h } from "../../core/dom.js";
import { badge } from "../../parts/badge.js";
import { button } from "../../parts/fields.js";
import { output } from "../../parts/output.js";

const STATES = { success: "succeeded", failure: "failed", error: "failed", skipped: "skipped", cancelled: "cancelled" };

export function progress({ decide }) {
  const node = h("div", { class: "task-progress pad stack", "aria-live": "polite", "aria-relevant": "additions" });
  const steps = new Map();
  const messages = new Map();
  const calls = new Map();
  const approvals = new Map();
  const unfinished = new Set();
  let general = null;
  const tellers = {
    step_start: startStep,
    step_end: endStep,
    log,
    token,
    tool_start: startCall,
    tool_end: endCall,
    approval,
    error: end,
  };
  return { node, search, tell: (type, data) => tellers[type]?.(data) };

  function add(part) {
    node.append(part);
    general = null;
    return part;
  }

  function block(title, state, body, isOpen = true) {
    const place = h("span", {}, state ? badge(state) : null);
    const details = h(
      "details",
      { class: "task-part", open: isOpen },
      h("summary", {}, h("span", { class: "row" }, place, h("span", { class: "grow ellipsis" }, title))),
      body,
    );
    return { details, state: (name) => place.replaceChildren(badge(STATES[name] ?? name)) };
  }

  // What has not ended by itself has ended with the task.
  function end({ message }) {
    for (const part of unfinished) part.state("cancelled");
    add(h("p", { class: "failure" }, message));
  }

  function begin(parts, id, part, said) {
    const begun = { ...part, said };
    parts.set(id, begun);
    unfinished.add(begun);
    add(part.details);
  }

  function startStep({ step_index: index, step_name: name, job }) {
    const said = output(`Output of ${name}`);
    const part = block(job ? `${job} · ${name}` : name, "running", said.node);
    begin(steps, index, part, said);
  }

  function endStep({ step_index: index, step_name: name, step_state: state, output: text }) {
    if (!steps.has(index)) startStep({ step_index: index, step_name: name });
    const step = steps.get(index);
    unfinished.delete(step);
    step.state(state);
    if (text) step.said.write("note", `${text}\n`);
    if (state === "success" && step.said.isEmpty) step.details.open = false;
  }

  function log({ level, message, step_index: index }) {
    const stream = level === "stdout" || level === "stderr" ? level : "note";
    const step = steps.get(index);
    if (step) return step.said.write(stream, `${message}\n`);
    if (!general) {
      const said = output("Notes of the task");
      add(said.node);
      general = said;
    }
    general.write(stream, `${message}\n`);
  }

  function token({ message_id: id, text }) {
    if (!messages.has(id)) messages.set(id, add(h("p", { class: "said" })));
    messages.get(id).append(text);
  }

  function startCall({ tool_id: id, tool_name: name, args }) {
    const said = output(`What ${name} answered`);
    const asked = args ? h("pre", { class: "json small" }, JSON.stringify(args, null, 2)) : null;
    const part = block(name, "running", h("div", { class: "stack" }, asked, said.node));
    begin(calls, id, part, said);
  }

  function endCall({ tool_id: id, tool_state: state, output: text }) {
    const call = calls.get(id);
    if (!call) return;
    unfinished.delete(call);
    call.state(state);
    call.said.write(state === "success" ? "stdout" : "stderr", text ?? "It answered nothing.");
  }

  function approval({ approval_id: id, state, tool_name: name, args }) {
    if (state !== "asked") {
      approvals.get(id)?.replaceChildren(badge(state === "approved" ? "succeeded" : "rejected", state));
      return;
    }
    const buttons = h("div", { class: "row" });
    const choose = (isAllowed) => () => {
      for (const each of buttons.querySelectorAll("button")) each.disabled = true;
      decide(id, isAllowed);
    };
    buttons.append(button("Allow", choose(true), { kind: "primary" }), button("Deny", choose(false), { kind: "danger" }));
    approvals.set(id, buttons);
    add(
      h(
        "div",
        { class: "task-asks", role: "group", "aria-label": `Allow ${name}?` },
        h("p", {}, "It asks to use ", h("code", {}, name), " with exactly this:"),
        h("pre", { class: "json small" }, JSON.stringify(args, null, 2)),
        buttons,
      ),
    );
  }

  // Only the parts that have all the words stay in sight.
  function search(wanted) {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    for (const part of node.children)
      part.hidden = !words.every((word) => part.textContent.toLowerCase().includes(word));
  }
}
