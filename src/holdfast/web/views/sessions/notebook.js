// The cells of one session. What they hold is kept in this browser; what they did is in the session.

import { get, isAbort, post, request, stream } from "../../core/api.js";
import { announce } from "../../core/announce.js";
import { h, replace } from "../../core/dom.js";
import { bytes, seconds, when } from "../../core/format.js";
import { load, store } from "../../core/state.js";
import { save } from "../../core/api.js";
import { badge } from "../../parts/badge.js";
import { editor } from "../../parts/editor.js";
import { button } from "../../parts/fields.js";
import { dropZone } from "../../parts/files.js";
import { icon } from "../../parts/icons.js";
import { isolationOf } from "../../parts/outcome.js";
import { output } from "../../parts/output.js";
import { failure } from "../../parts/states.js";
import { bundle } from "./bundle.js";

const PREFIX = "code-runner-";

export function notebook(session, { onEnd, onRun }) {
  const path = `/sessions/${session.session_id}`;
  const name = `session.${session.session_id}`;
  const language = session.image.replace(PREFIX, "");
  const cells = [];
  const list = h("div", { class: "cells" });
  const files = h("div", { class: "stack" });
  const interrupt = button("Interrupt", () => post(`${path}/interrupt`).catch(() => {}), {
    picture: icon("stop"),
    hidden: true,
  });
  const node = h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "bar plain" },
      badge("idle", language),
      h("span", { class: "muted small" }, `until ${when(session.expires_at)}`),
      h("span", { class: "grow" }),
      interrupt,
      button("End session", onEnd, { picture: icon("trash") }),
    ),
    list,
    h(
      "div",
      { class: "row" },
      button("Add a cell", () => add().focus(), { picture: icon("plus") }),
    ),
    h(
      "details",
      { class: "card pad", onToggle: listFiles },
      h("summary", {}, "Files and isolation"),
      files,
      isolationOf(session.isolation),
    ),
  );
  for (const { code } of load(name, [{ code: "" }])) add(code);
  return node;

  function add(code = "") {
    const cell = makeCell(code);
    cells.push(cell);
    list.append(cell.node);
    return cell;
  }

  function keep() {
    store(
      name,
      cells.map((cell) => ({ code: cell.code() })),
    );
  }

  function drop(cell) {
    cells.splice(cells.indexOf(cell), 1);
    cell.node.remove();
    if (!cells.length) add();
    keep();
  }

  function makeCell(code) {
    const count = h("span", { class: "cell-count mono" }, "[ ]");
    const shown = h("div", { class: "cell-output" });
    const text = editor({ value: code, language, label: "Cell", minLines: 2, onChange: keep, onRun: () => run(cell) });
    const runButton = h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": "Run this cell",
        title: "Ctrl+Enter",
        onClick: () => run(cell),
      },
      icon("play"),
    );
    const dropButton = h(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Remove this cell", onClick: () => drop(cell) },
      icon("close"),
    );
    const cell = { code: () => text.value, focus: text.focus, count, shown, runButton };
    cell.node = h(
      "section",
      { class: "cell card", "aria-label": "Cell" },
      h("div", { class: "cell-side" }, count, runButton, dropButton),
      h("div", { class: "cell-main" }, text.node, shown),
    );
    return cell;
  }

  async function run(cell) {
    if (cell.runButton.disabled) return;
    keep();
    cell.runButton.disabled = true;
    interrupt.hidden = false;
    cell.count.textContent = "[*]";
    replace(cell.shown);
    try {
      for await (const { type, data } of stream(`${path}/run/stream`, { code: cell.code() })) tell(cell, type, data);
      if (cells.at(-1) === cell) add().focus();
      keep();
    } catch (error) {
      if (!isAbort(error)) cell.shown.append(failure(error));
      cell.count.textContent = "[!]";
    } finally {
      cell.runButton.disabled = false;
      interrupt.hidden = true;
      onRun();
    }
  }

  async function listFiles() {
    try {
      const found = await get(`${path}/files`);
      const rows = found.files.map((file) =>
        h(
          "li",
          {},
          icon("file"),
          h("span", { class: "grow ellipsis" }, file.path),
          h("span", { class: "muted small" }, bytes(file.size_bytes)),
          h(
            "button",
            {
              class: "icon-button",
              type: "button",
              "aria-label": `Save ${file.path}`,
              onClick: () => fetchFile(file.path),
            },
            icon("download"),
          ),
        ),
      );
      replace(
        files,
        dropZone("Put files into the session", putFiles),
        h("ul", { class: "file-list" }, ...rows),
        rows.length ? null : h("p", { class: "muted small" }, "The session has no files."),
      );
    } catch (error) {
      replace(files, failure(error));
    }
  }

  async function fetchFile(file) {
    save(await (await request(`${path}/files/${encodeURI(file)}`)).blob(), file.split("/").pop());
  }

  async function putFiles(chosen) {
    for (const file of chosen)
      await request(`${path}/files/${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    listFiles();
  }
}

function tell(cell, type, data) {
  if (type === "output") {
    const last = cell.shown.lastChild;
    const log = last?.log ?? newLog(cell.shown);
    log.write(data.stream, data.text);
  }
  if (type === "display") cell.shown.append(bundle(data.display.data));
  if (type === "error") cell.shown.append(failure({ ...data, message: data.detail }));
  if (type === "exited") ended(cell, data.result);
}

function newLog(place) {
  const log = output("Output of the cell");
  log.node.log = log;
  place.append(log.node);
  return log;
}

function ended(cell, result) {
  cell.count.textContent = result.execution_count === null ? "[✓]" : `[${result.execution_count}]`;
  if (result.error)
    cell.shown.append(
      h("pre", { class: "output trace" }, result.error.traceback || `${result.error.name}: ${result.error.value}`),
    );
  else if (result.status !== "succeeded") cell.shown.append(h("p", {}, badge(result.status)));
  cell.shown.append(h("p", { class: "muted small cell-time" }, seconds(result.execution_time)));
  announce(`The cell ${result.status.replaceAll("_", " ")}`);
}
