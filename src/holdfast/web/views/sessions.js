// Sessions: a sandbox that is kept, as a notebook.

import { get, isAbort, post, remove } from "../core/api.js";
import { h, replace } from "../core/dom.js";
import { ago, plural } from "../core/format.js";
import { go, link } from "../core/router.js";
import { load } from "../core/state.js";
import { badge } from "../parts/badge.js";
import { button, choice, titled } from "../parts/fields.js";
import { icon } from "../parts/icons.js";
import { empty, failure, loading } from "../parts/states.js";
import { notebook } from "./sessions/notebook.js";

const NAME = "sessions";
const PREFIX = "code-runner-";

export function create() {
  let asked = 0;
  const language = choice([{ value: "python", title: "Python" }], { "aria-label": "Language of a new session" });
  const list = h("div", { class: "session-list" });
  const place = h("div", { class: "grow" });
  const opened = new Map();
  const node = h(
    "div",
    { class: "view wide" },
    titled(
      "Sessions",
      "A sandbox that is kept: variables and files stay until it ends.",
      language,
      button("New session", start, { kind: "primary", picture: icon("plus") }),
    ),
    h("div", { class: "side-split" }, h("nav", { class: "card", "aria-label": "Open sessions" }, list), place),
  );
  listLanguages();
  return { node, show };

  async function show({ parts: [id] }) {
    asked += 1;
    const mine = asked;
    try {
      const { sessions } = await get("/sessions");
      if (mine !== asked) return;
      drawList(sessions, id);
      const chosen = sessions.find((session) => session.session_id === id);
      replace(place, chosen ? cellsOf(chosen) : idle(id, sessions));
    } catch (error) {
      replace(list);
      replace(
        place,
        isAbort(error)
          ? empty("cells", "No key", "Without a key this server tells nothing.")
          : failure(error, () => show({ parts: [id] })),
      );
    }
  }

  function idle(id, sessions) {
    if (id)
      return empty(
        "cells",
        "That session is over",
        "Its sandbox is gone; a new one starts in milliseconds.",
        button("New session", start, { kind: "primary" }),
      );
    if (sessions.length) return empty("cells", "Choose a session", "Or start another one.");
    return empty(
      "cells",
      "No session is open",
      "Start one to run cell after cell in one interpreter.",
      button("New session", start, { kind: "primary", picture: icon("plus") }),
    );
  }

  function cellsOf(session) {
    const id = session.session_id;
    if (!opened.has(id)) opened.set(id, notebook(session, { onEnd: () => end(id), onRun: () => relist(id) }));
    return opened.get(id);
  }

  function drawList(sessions, chosen) {
    if (!sessions.length) return replace(list, h("p", { class: "muted pad small" }, "None yet."));
    replace(list, h("ul", { class: "plain-list" }, ...sessions.map((session) => h("li", {}, item(session, chosen)))));
  }

  async function listLanguages() {
    const { images } = await get("/runtimes").catch(() => ({ images: [] }));
    const ready = images.filter((image) => image.ready);
    if (ready.length)
      replace(language, ...ready.map(({ id, name }) => h("option", { value: id.replace(PREFIX, "") }, name)));
  }

  async function relist(chosen) {
    const { sessions } = await get("/sessions").catch(() => ({ sessions: null }));
    if (sessions) drawList(sessions, chosen);
  }

  async function start() {
    replace(place, loading("Making a sandbox"));
    try {
      const session = await post("/sessions", { image: language.value });
      go(NAME, [session.session_id]);
    } catch (error) {
      replace(place, failure(error, start));
    }
  }

  async function end(id) {
    await remove(`/sessions/${id}`).catch(() => {});
    opened.delete(id);
    localStorage.removeItem(`holdfast.session.${id}`);
    go(NAME);
  }
}

function item({ session_id: id, image, status, created_at: created, runs }, chosen) {
  const cells = load(`session.${id}`, []);
  const title =
    cells
      .find(({ code }) => code.trim())
      ?.code.trim()
      .split("\n")[0] ?? image.replace(PREFIX, "");
  return h(
    "a",
    { class: "list-link", href: link(NAME, [id]), "aria-current": id === chosen ? "true" : undefined },
    h("span", { class: "ellipsis mono small" }, title),
    h(
      "span",
      { class: "row small muted" },
      badge(status),
      plural(runs, "run"),
      h("span", { class: "grow right" }, ago(created)),
    ),
  );
}
