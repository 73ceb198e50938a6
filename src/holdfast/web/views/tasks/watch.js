// One task as it goes: its events from the first, then as they come; what it asks; what it left.

import { get, isAbort, post, remove, stream, download, text } from "../../core/api.js";
import { announce } from "../../core/announce.js";
import { h, replace } from "../../core/dom.js";
import { when } from "../../core/format.js";
import { go } from "../../core/router.js";
import { badge, facts } from "../../parts/badge.js";
import { button } from "../../parts/fields.js";
import { icon } from "../../parts/icons.js";
import { failure, loading } from "../../parts/states.js";
import { progress } from "./progress.js";

const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const AGAIN_MILLISECONDS = 1000;

export function watched(id, onChange) {
  const reading = new AbortController();
  let seen = 0;
  const head = h("div", {}, loading("Opening the task"));
  const left = h("div", { class: "stack pad" });
  const search = h("input", {
    type: "search",
    placeholder: "Search what it said",
    "aria-label": "Search the task",
    onInput: () => shown.search(search.value),
  });
  const shown = progress({ decide });
  const node = h(
    "section",
    { class: "card", "aria-label": "Task" },
    head,
    h("div", { class: "bar" }, search),
    shown.node,
    left,
  );
  drawHead();
  read();
  return { node, stop: () => reading.abort() };

  // A stream that breaks is gone on with after the last event that was seen.
  async function read() {
    while (!reading.signal.aborted) {
      try {
        await readOnce();
        return;
      } catch (error) {
        if (isAbort(error)) return;
        if (error.status) return replace(left, failure(error, read));
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
      }
    }
  }

  async function readOnce() {
    const options = { signal: reading.signal, ...(seen ? { lastEventId: String(seen) } : {}) };
    for await (const { type, data } of stream(`/tasks/${id}/events`, undefined, options)) {
      seen = data.seq;
      shown.tell(type, data);
      if (["status", "done", "error", "artifact"].includes(type)) drawHead();
      if (type === "done" || type === "error") announce(type === "done" ? "The task is done" : data.message);
    }
  }

  async function drawHead() {
    try {
      const task = await get(`/tasks/${id}`);
      replace(head, titleOf(task), factsOf(task));
      replace(left, artifactsOf(task));
      onChange();
    } catch (error) {
      replace(head, failure(error));
    }
  }

  function titleOf(task) {
    const isOver = ENDED.has(task.status);
    return h(
      "div",
      { class: "headline" },
      badge(task.status),
      h("code", { class: "grow ellipsis small" }, task.id),
      isOver
        ? button("Forget", forget, { picture: icon("trash") })
        : button("Cancel", () => post(`/tasks/${id}/cancel`, {}).then(drawHead), {
            kind: "danger",
            picture: icon("stop"),
          }),
    );
  }

  async function forget() {
    await remove(`/tasks/${id}`);
    go("tasks");
    onChange();
  }

  async function decide(approvalId, approved) {
    await post(`/tasks/${id}/approvals/${approvalId}`, { approved });
    drawHead();
  }

  function artifactsOf(task) {
    if (!task.artifacts.length) return null;
    const patch = h("div", {});
    return h(
      "section",
      { class: "detail" },
      h("h2", { class: "unseen" }, "Outcome"),
      h("h3", {}, "What it left"),
      h("ul", { class: "plain-list" }, ...task.artifacts.map((name) => h("li", {}, file(name, patch)))),
      patch,
    );
  }

  function file(name, patch) {
    const path = `/tasks/${id}/artifacts/${encodeURIComponent(name)}`;
    return h(
      "span",
      { class: "row" },
      icon("file"),
      h("span", { class: "grow mono small ellipsis" }, name),
      name.endsWith(".diff") ? button("Show", () => showPatch(path, patch)) : null,
      button("Download", () => download(path, name), { picture: icon("download") }),
    );
  }

  async function showPatch(path, patch) {
    const lines = (await text(path)).split("\n");
    replace(
      patch,
      h(
        "pre",
        { class: "output diff", tabindex: "0", "aria-label": "What changed in the workspace" },
        ...lines.map((line) => h("span", { class: TONES[line[0]] ?? "stdout" }, `${line}\n`)),
      ),
    );
  }
}

const TONES = { "+": "added", "-": "removed", "@": "note" };

function factsOf(task) {
  return h(
    "div",
    { class: "pad" },
    facts(
      ["Kind", task.type],
      task.waiting_for ? ["Waits for", task.waiting_for] : null,
      ["Given", when(task.created_at)],
      task.worker ? ["Worker", task.worker] : null,
      task.attempts > 1 ? ["Attempts", `${task.attempts} of ${task.max_attempts}`] : null,
      task.error ? [task.error.code.replaceAll("_", " "), task.error.message] : null,
      task.delivery ? ["Callback", `${task.delivery.state}, up to ${task.delivery.delivered_seq}`] : null,
    ),
  );
}

