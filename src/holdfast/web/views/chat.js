// Ask data: a dataset on one side, a conversation on the other.

import { get, isAbort, remove } from "../core/api.js";
import { h, replace } from "../core/dom.js";
import { ago } from "../core/format.js";
import { go, link } from "../core/router.js";
import { load, store } from "../core/state.js";
import { choice } from "../parts/fields.js";
import { icon } from "../parts/icons.js";
import { schemaBrowser } from "../parts/schema.js";
import { empty, failure, loading } from "../parts/states.js";
import { conversation } from "./chat/conversation.js";

const NAME = "chat";
const RETRY_MILLISECONDS = 2000;

export function create() {
  let asked = 0;
  let datasets = [];
  let dataset = null;
  let talk = null;
  const picker = choice([], { "aria-label": "Dataset", onChange: () => go(NAME, [picker.value]) });
  const about = h("p", { class: "muted small" });
  const schema = h("div", {});
  const threads = h("div", {});
  const place = h("div", { class: "chat-place" });
  const side = h(
    "aside",
    { class: "chat-side", "aria-label": "Data" },
    h(
      "div",
      { class: "row" },
      picker,
      h(
        "a",
        { class: "icon-button", href: link("datasets"), title: "Bring files", "aria-label": "Bring files" },
        icon("upload"),
      ),
    ),
    about,
    h("details", { class: "side-part", open: innerWidth > 760 }, h("summary", {}, "Tables"), schema),
    h(
      "details",
      { class: "side-part", open: innerWidth > 760, onToggle: listThreads },
      h("summary", {}, "Conversations"),
      threads,
    ),
  );
  const node = h("div", { class: "chat" }, h("h1", { class: "unseen" }, "Chat"), side, place);
  return { node, show };

  async function show({ parts: [wanted, thread] }) {
    asked += 1;
    const mine = asked;
    try {
      ({ datasets } = await get("/datasets"));
      if (mine !== asked) return;
    } catch (error) {
      return replace(
        place,
        isAbort(error)
          ? empty("chat", "No key", "Without a key this server tells nothing.")
          : failure(error, () => show({ parts: [wanted, thread] })),
      );
    }
    if (!datasets.length) return waitForData({ parts: [wanted, thread] }, mine);
    const remembered = load(NAME, {});
    const id = wanted ?? remembered.dataset;
    choose(datasets.find((each) => each.id === id) ?? datasets[0]);
    const opened = thread ?? (wanted ? "" : remembered.thread);
    if (talk?.dataset === dataset && talk.thread() === (opened ?? "") && place.contains(talk.node)) return;
    openTalk(opened);
  }

  // Demo data are being made while a server starts for the first time.
  function waitForData(route, mine) {
    const bring = h("a", { class: "button primary", href: link("datasets") }, "Bring a file");
    replace(place, empty("data", "No data yet", "Bring a file, and ask about it.", bring));
    setTimeout(() => mine === asked && node.isConnected && show(route), RETRY_MILLISECONDS);
  }

  function choose(found) {
    replace(picker, ...datasets.map(({ id, name }) => h("option", { value: id }, name)));
    picker.value = found.id;
    if (dataset?.id === found.id && dataset.version_hash === found.version_hash) return;
    dataset = found;
    about.textContent = found.description;
    replace(schema, schemaBrowser(found.id, { onColumn: (name) => talk?.insert(name) }));
  }

  async function openTalk(thread) {
    talk?.close();
    replace(place, loading("Opening the conversation"));
    const made = conversation(dataset, { onThread: remember, onEnd: listThreads });
    talk = made;
    try {
      if (thread) await made.resume(thread);
    } catch (error) {
      if (error.status !== 404)
        return replace(
          place,
          failure(error, () => openTalk(thread)),
        );
    }
    if (talk !== made) return;
    remember(made.thread());
    replace(place, made.node);
    made.ready();
    listThreads();
  }

  function remember(thread) {
    store(NAME, { dataset: dataset.id, thread });
    const address = link(NAME, [dataset.id, ...(thread ? [thread] : [])]);
    if (location.hash.startsWith("#/chat") || location.hash.length < 3) history.replaceState(null, "", address);
    if (thread) listThreads();
  }

  async function listThreads() {
    if (!dataset) return;
    try {
      const told = await get("/threads?limit=30");
      const ours = told.threads.filter(({ dataset_id: id }) => id === dataset.id);
      replace(
        threads,
        h(
          "a",
          { class: "list-link new", href: link(NAME, [dataset.id]), onClick: fresh },
          h("span", { class: "row" }, icon("plus"), "New conversation"),
        ),
        h("ul", { class: "plain-list" }, ...ours.map(threadItem)),
      );
    } catch {
      replace(threads, h("p", { class: "muted small" }, "They cannot be listed just now."));
    }
  }

  function fresh(event) {
    event.preventDefault();
    openTalk("");
  }

  function threadItem({ thread_id: id, title, updated_at: updated, running }) {
    return h(
      "li",
      { class: "run-item" },
      h(
        "a",
        {
          class: "list-link grow",
          href: link(NAME, [dataset.id, id]),
          "aria-current": talk?.thread() === id ? "true" : undefined,
        },
        h("span", { class: "ellipsis" }, title || "Untitled"),
        h("span", { class: "muted small" }, running ? "answering…" : ago(updated)),
      ),
      h(
        "button",
        { type: "button", class: "icon-button quiet", "aria-label": `Delete ${title}`, onClick: () => forget(id) },
        icon("close"),
      ),
    );
  }

  async function forget(id) {
    await remove(`/threads/${id}`).catch(() => {});
    if (talk?.thread() === id) openTalk("");
    else listThreads();
  }
}
