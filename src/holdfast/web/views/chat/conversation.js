// One conversation: what was asked and answered, the question that is being answered, and the field for the next.

import { get, isAbort, post, stream } from "../../core/api.js";
import { announce } from "../../core/announce.js";
import { h, replace } from "../../core/dom.js";
import { load, store } from "../../core/state.js";
import { icon } from "../../parts/icons.js";
import { failure } from "../../parts/states.js";
import { turn } from "./turn.js";

const MESSAGES = 200;
const RECONNECTS = 5;
const PAUSE_MILLISECONDS = 700;
const DRAFT = "chat.draft";
const ASKED = "chat.asked";

export function conversation(dataset, { onThread, onEnd }) {
  let thread = "";
  let working = null;
  const turns = h("div", { class: "turns" });
  const scroller = h(
    "div",
    { class: "chat-scroll", tabindex: "0", role: "region", "aria-label": "Conversation" },
    turns,
  );
  const field = h("textarea", {
    rows: "1",
    "aria-label": "Your question",
    placeholder: `Ask about ${dataset.name}`,
    value: load(DRAFT, ""),
    onInput: typed,
    onKeydown: keyed,
  });
  const sendButton = h(
    "button",
    { type: "submit", class: "button primary round", "aria-label": "Ask", title: "Enter" },
    icon("up"),
  );
  const stopButton = h(
    "button",
    {
      type: "button",
      class: "button danger round",
      "aria-label": "Stop",
      title: "Escape",
      hidden: true,
      onClick: cancel,
    },
    icon("stop"),
  );
  const composer = h("form", { class: "composer", onSubmit: submitted }, field, stopButton, sendButton);
  const hint = h("p", { class: "composer-hint muted small" });
  const node = h(
    "div",
    { class: "conversation", onKeydown: escaped },
    scroller,
    h("div", { class: "composer-place" }, composer, hint),
  );
  tellWho();
  return { node, dataset, thread: () => thread, resume, ready, insert, close: () => working?.abort() };

  // Shows what the thread has, and goes on with the turn that is being answered. Throws Problem.
  async function resume(id) {
    const path = `/threads/${encodeURIComponent(id)}`;
    const [about, told] = await Promise.all([get(path), get(`${path}/messages?limit=${MESSAGES}`)]);
    thread = id;
    let unanswered = null;
    for (const message of told.messages) {
      if (message.role === "user") {
        unanswered = add(message.content);
        continue;
      }
      (unanswered ?? add("")).answered(message);
      unanswered = null;
    }
    if (about.running === null) return unanswered?.cancelled();
    const made = unanswered ?? add(load(ASKED, ""));
    follow(made, () => stream(`${path}/events`, undefined, { signal: working.signal }));
  }

  function ready() {
    if (!turns.childElementCount) replace(turns, welcome());
    typed();
    toEnd();
    if (matchMedia("(pointer: fine)").matches) field.focus({ preventScroll: true });
  }

  function welcome() {
    return h(
      "section",
      { class: "welcome" },
      h("h2", {}, `What would you like to know about ${dataset.name}?`),
      h(
        "p",
        { class: "muted" },
        "Every answer comes with the query that made it, and can be checked, changed and run again.",
      ),
      h(
        "div",
        { class: "suggestions" },
        ...dataset.prompts.map((prompt) =>
          h("button", { type: "button", class: "suggestion", onClick: () => ask(prompt) }, prompt),
        ),
      ),
    );
  }

  async function tellWho() {
    const about = await get("/chat").catch(() => null);
    if (!about) return;
    const who =
      about.planner === "model"
        ? `Answered by ${about.model}`
        : "Answered by rules for simple questions, no language model";
    hint.textContent = `${who}. SQL: ${about.python ? "and PYTHON: run" : "runs"} as written.`;
  }

  function typed() {
    store(DRAFT, field.value);
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 180)}px`;
  }

  function keyed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask(field.value);
  }

  function submitted(event) {
    event.preventDefault();
    ask(field.value);
  }

  function escaped(event) {
    if (event.key === "Escape" && working) cancel();
  }

  function insert(text) {
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    typed();
  }

  function add(question) {
    turns.querySelector(".welcome")?.remove();
    const made = turn(dataset, question, { ask });
    turns.append(made.node);
    return made;
  }

  function ask(question) {
    if (!question.trim() || working) return;
    field.value = "";
    typed();
    store(ASKED, question);
    const made = add(question);
    toEnd();
    const body = { dataset_id: dataset.id, message: question, ...(thread ? { thread_id: thread } : {}) };
    follow(made, () => stream("/chat/stream", body, { signal: working.signal }));
  }

  // Follows a turn to its end; a connection that breaks is taken up again where it was.
  async function follow(made, begin) {
    working = new AbortController();
    const mine = working;
    setWorking(true);
    const seen = { id: null };
    try {
      await tellAll(made, begin(), seen);
      for (let attempt = 0; attempt < RECONNECTS && !made.isOver() && thread && seen.id; attempt += 1) {
        await pause(PAUSE_MILLISECONDS * (attempt + 1));
        await tellAll(
          made,
          stream(`/threads/${encodeURIComponent(thread)}/events`, undefined, {
            signal: mine.signal,
            lastEventId: seen.id,
          }),
          seen,
        );
      }
    } catch (error) {
      if (!isAbort(error)) made.failed(failure(error));
    }
    if (working !== mine) return;
    working = null;
    setWorking(false);
    if (!made.isOver()) made.cancelled();
    onEnd();
  }

  async function tellAll(made, events, seen) {
    try {
      for await (const { id, type, data } of events) {
        seen.id = id ?? seen.id;
        if (type === "status" && data.thread_id !== thread) {
          thread = data.thread_id;
          onThread(thread);
        }
        const isAtEnd = scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 80;
        made.tell(type, data);
        if (isAtEnd) toEnd();
        if (type === "result") announce(data.assistant_message);
      }
    } catch (error) {
      if (error.name !== "TypeError" || !seen.id) throw error;
      // The connection broke in the middle; the caller takes it up again.
    }
  }

  async function cancel() {
    if (!thread) return working?.abort();
    await post(`/threads/${encodeURIComponent(thread)}/cancel`).catch(() => working?.abort());
  }

  function setWorking(isWorking) {
    stopButton.hidden = !isWorking;
    sendButton.hidden = isWorking;
    turns.setAttribute("aria-busy", String(isWorking));
  }

  function toEnd() {
    requestAnimationFrame(() => scroller.scrollTo({ top: scroller.scrollHeight }));
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
