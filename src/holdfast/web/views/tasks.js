// Tasks: agents and workflows. Give one, watch it step by step, allow what it asks, and take what it left.

import { get } from "../core/api.js";
import { h, replace } from "../core/dom.js";
import { ago } from "../core/format.js";
import { link } from "../core/router.js";
import { badge } from "../parts/badge.js";
import { titled } from "../parts/fields.js";
import { icon } from "../parts/icons.js";
import { empty, failure, loading } from "../parts/states.js";
import { submission } from "./tasks/submit.js";
import { watched } from "./tasks/watch.js";

const NAME = "tasks";
const NEW = "new";

export function create() {
  let opened = null;
  const list = h("div", { class: "run-list" });
  const place = h("div", { class: "grow" });
  const split = h(
    "div",
    { class: "side-split wide-side" },
    h("nav", { class: "card", "aria-label": "Tasks" }, list),
    place,
  );
  const node = h(
    "div",
    { class: "view wide" },
    titled(
      "Tasks",
      "Agents with tools in a sandbox, and workflows of steps. They go on when you leave.",
      h("a", { class: "button primary", href: link(NAME, [NEW]) }, icon("plus"), "New task"),
    ),
    split,
  );
  return { node, show, hide: close };

  function show({ parts: [id] }) {
    close();
    split.classList.toggle("has-detail", Boolean(id));
    relist(id);
    if (!id)
      return replace(
        place,
        empty("tasks", "Choose a task", "What it did, what it says, and what it left in its workspace."),
      );
    if (id === NEW) return replace(place, back(), submission());
    opened = watched(id, () => relist(id));
    replace(place, back(), opened.node);
  }

  function close() {
    opened?.stop();
    opened = null;
  }

  function back() {
    return h("a", { class: "back", href: link(NAME) }, icon("chevron"), "All tasks");
  }

  async function relist(chosen) {
    if (!list.firstChild) replace(list, loading("Listing tasks"));
    try {
      const { tasks } = await get("/tasks?limit=100");
      if (!tasks.length) return replace(list, h("p", { class: "muted pad small" }, "None yet."));
      replace(list, h("ul", { class: "plain-list" }, ...tasks.map((task) => h("li", {}, item(task, chosen)))));
    } catch (error) {
      replace(list, failure(error, () => relist(chosen)));
    }
  }
}

function item(task, chosen) {
  return h(
    "a",
    { class: "list-link", href: link(NAME, [task.id]), "aria-current": task.id === chosen ? "true" : undefined },
    h(
      "span",
      { class: "row" },
      badge(task.status),
      h("span", { class: "grow ellipsis" }, titleOf(task)),
      h("span", { class: "muted small nowrap" }, ago(task.created_at)),
    ),
  );
}

function titleOf({ type, request }) {
  if (type === "agent") return String(request.messages?.at(-1)?.content ?? "agent");
  return String(request.name ?? request.steps?.[0]?.name ?? request.steps?.[0]?.run ?? "workflow").split("\n")[0];
}
