// What was run: search it, open it, run it again, compare two.

import { get } from "../core/api.js";
import { h, replace } from "../core/dom.js";
import { ago, seconds } from "../core/format.js";
import { go, link, rewrite } from "../core/router.js";
import { badge } from "../parts/badge.js";
import { button, choice, titled } from "../parts/fields.js";
import { icon } from "../parts/icons.js";
import { empty, failure, loading } from "../parts/states.js";
import { comparison } from "./runs/compare.js";
import { detail } from "./runs/detail.js";

const NAME = "runs";
const PAGE = 100;
const KINDS = [
  ["", "Every kind"],
  ["data", "Questions of data"],
  ["run", "Programs"],
  ["grade", "Gradings"],
  ["session", "Cells of sessions"],
];

export function create() {
  let records = [];
  let next = null;
  let opened = "";
  let chosen = new Set();
  const search = h("input", {
    type: "search",
    placeholder: "Search id, language, status",
    "aria-label": "Search runs",
    onInput: draw,
  });
  const kind = choice(
    KINDS.map(([value, title]) => ({ value, title })),
    { "aria-label": "Kind", onChange: () => (rewrite(NAME, opened ? [opened] : [], { kind: kind.value }), refresh()) },
  );
  const compareButton = button("Compare", () => go(NAME, ["compare", ...chosen]), {
    disabled: true,
    title: "Choose two runs",
  });
  const list = h("div", { class: "run-list" });
  const place = h("div", { class: "grow" });
  const split = h(
    "div",
    { class: "side-split wide-side" },
    h("section", { class: "card", "aria-label": "Runs" }, h("div", { class: "bar" }, search, kind), list),
    place,
  );
  const node = h(
    "div",
    { class: "view wide" },
    titled(
      "Runs",
      "Every run leaves a record; a question of data can be run again.",
      compareButton,
      button("Refresh", refresh, { picture: icon("replay") }),
    ),
    split,
  );
  return { node, show };

  async function show({ parts, query }) {
    kind.value = query.get("kind") ?? kind.value;
    opened = parts[0] ?? "";
    split.classList.toggle("has-detail", Boolean(opened));
    refresh();
    if (!opened)
      return replace(
        place,
        empty("history", "Choose a run", "What was asked, what it came to, what it used and what held it."),
      );
    replace(place, loading("Opening the run"));
    const wanted = opened;
    try {
      const shown = opened === "compare" ? await comparison(parts[1], parts[2]) : await detail(opened);
      if (opened === wanted) replace(place, back(), shown);
    } catch (error) {
      if (opened === wanted) replace(place, back(), failure(error));
    }
  }

  function back() {
    return h("a", { class: "back", href: link(NAME, [], { kind: kind.value }) }, icon("chevron"), "All runs");
  }

  async function refresh() {
    if (!records.length) replace(list, loading("Listing runs"));
    try {
      ({ runs: records, next } = await page());
      draw();
    } catch (error) {
      replace(list, failure(error, refresh));
    }
  }

  function page(before) {
    const query = new URLSearchParams({
      limit: PAGE,
      ...(kind.value ? { kind: kind.value } : {}),
      ...(before ? { before } : {}),
    });
    return get(`/runs?${query}`);
  }

  async function more() {
    const older = await page(next);
    records = [...records, ...older.runs];
    next = older.next;
    draw();
  }

  function draw() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = records.filter((record) =>
      words.every((word) =>
        `${record.run_id} ${record.kind} ${record.image} ${record.status} ${record.code ?? ""}`
          .toLowerCase()
          .includes(word),
      ),
    );
    if (!records.length)
      return replace(list, empty("history", "No runs yet", "Run a program or ask a question, and it is listed here."));
    if (!found.length) return replace(list, h("p", { class: "muted pad" }, "No run has these words."));
    replace(
      list,
      h("ul", { class: "plain-list" }, ...found.map(item)),
      next ? h("div", { class: "pad" }, button("Older runs", more)) : null,
    );
  }

  function item(record) {
    const box = h("input", {
      type: "checkbox",
      checked: chosen.has(record.run_id),
      "aria-label": `Choose ${record.run_id} to compare`,
      onChange: () => choose(record.run_id, box.checked),
    });
    return h(
      "li",
      { class: "run-item" },
      box,
      h(
        "a",
        {
          class: "list-link grow",
          href: link(NAME, [record.run_id], { kind: kind.value }),
          "aria-current": record.run_id === opened ? "true" : undefined,
        },
        h(
          "span",
          { class: "row" },
          badge(record.status),
          h(
            "span",
            { class: "grow ellipsis" },
            `${record.kind === "data" ? "question" : record.kind} · ${record.image}`,
          ),
          h("span", { class: "muted small nowrap" }, seconds(record.usage?.wall_seconds)),
        ),
        h(
          "span",
          { class: "row small muted" },
          h("code", { class: "grow ellipsis" }, record.run_id),
          h("span", { class: "nowrap" }, ago(record.created_at)),
        ),
      ),
    );
  }

  function choose(id, isChosen) {
    if (isChosen) chosen = new Set([...chosen, id].slice(-2));
    else chosen.delete(id);
    compareButton.disabled = chosen.size !== 2;
    draw();
  }
}
