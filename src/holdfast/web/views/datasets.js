// Datasets: bring files, see how they were read, look at what is in them.

import { get, remove, request } from "../core/api.js";
import { announce } from "../core/announce.js";
import { h, replace } from "../core/dom.js";
import { bytes, plural, when } from "../core/format.js";
import { go, link } from "../core/router.js";
import { badge, facts } from "../parts/badge.js";
import { button, titled } from "../parts/fields.js";
import { dropZone } from "../parts/files.js";
import { icon } from "../parts/icons.js";
import { schemaBrowser } from "../parts/schema.js";
import { empty, failure, loading } from "../parts/states.js";
import { report } from "./datasets/report.js";

const NAME = "datasets";
const ACCEPTED = ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet,.xlsx";

export function create() {
  let asked = 0;
  const list = h("div", {});
  const place = h("div", { class: "grow" });
  const upload = h("div", { class: "stack" });
  const drop = dropZone("Drop files or choose them", (files) => send(files), {
    accept: ACCEPTED,
    hint: "CSV, TSV, JSON lines, Parquet, Excel",
  });
  const split = h(
    "div",
    { class: "side-split" },
    h(
      "div",
      { class: "stack" },
      h("section", { class: "card pad", "aria-label": "Upload" }, drop),
      h("section", { class: "card", "aria-label": "Datasets" }, list),
    ),
    h("div", { class: "grow stack" }, upload, place),
  );
  const node = h(
    "div",
    { class: "view wide" },
    titled("Datasets", "Tables that can be asked. Files are read in a sandbox, never by the server."),
    split,
  );
  return { node, show };

  async function show({ parts: [id] }) {
    asked += 1;
    const mine = asked;
    split.classList.toggle("has-detail", Boolean(id));
    try {
      const { datasets } = await get("/datasets");
      if (mine !== asked) return;
      drawList(datasets, id);
      const chosen = datasets.find((dataset) => dataset.id === id);
      if (chosen) return await open(chosen);
      replace(
        place,
        id
          ? empty("data", "There is no such dataset", "It may belong to another key, or was deleted.")
          : empty(
              "data",
              datasets.length ? "Choose a dataset" : "No dataset yet",
              "See its tables, columns and how its files were read, or drop a file to make one.",
            ),
      );
    } catch (error) {
      replace(
        place,
        failure(error, () => show({ parts: [id] })),
      );
    }
  }

  function drawList(datasets, chosen) {
    replace(
      list,
      h(
        "ul",
        { class: "plain-list" },
        ...datasets.map(({ id, name, row_count: rows, size_bytes: size }) =>
          h(
            "li",
            {},
            h(
              "a",
              { class: "list-link", href: link(NAME, [id]), "aria-current": id === chosen ? "true" : undefined },
              h("span", { class: "ellipsis" }, name),
              h("span", { class: "muted small" }, `${plural(rows, "row")} · ${bytes(size)}`),
            ),
          ),
        ),
      ),
    );
  }

  async function open(dataset) {
    const told = h("div", {});
    replace(
      place,
      h("a", { class: "back", href: link(NAME) }, icon("chevron"), "All datasets"),
      h(
        "article",
        { class: "card pad stack" },
        h(
          "div",
          { class: "headline flush" },
          h("h2", { class: "grow" }, dataset.name),
          h("a", { class: "button primary", href: link("chat", [dataset.id]) }, icon("chat"), "Ask about it"),
          button("Delete", () => forget(dataset), { picture: icon("trash") }),
        ),
        dataset.description ? h("p", { class: "muted" }, dataset.description) : null,
        facts(
          ["Id", h("code", {}, dataset.id)],
          ["Rows", plural(dataset.row_count, "row")],
          ["Size", bytes(dataset.size_bytes)],
          ["Made", when(dataset.created)],
          ["Version", h("code", {}, dataset.version_hash.replace("sha256:", "").slice(0, 12))],
        ),
        h("h3", {}, "Tables"),
        schemaBrowser(dataset.id),
        told,
      ),
    );
    const made = await get(`/datasets/${encodeURIComponent(dataset.id)}/report`).catch(() => null);
    if (made?.files.length) replace(told, h("details", {}, h("summary", {}, "How its files were read"), report(made)));
  }

  async function forget(dataset) {
    if (!confirm(`Delete the dataset “${dataset.name}”? Records of its runs stay.`)) return;
    try {
      await remove(`/datasets/${encodeURIComponent(dataset.id)}`);
      go(NAME);
    } catch (error) {
      replace(upload, failure(error));
    }
  }

  async function send(files, skipsRejected = false) {
    replace(
      upload,
      h("section", { class: "card pad" }, loading(`Reading ${files.map(({ name }) => name).join(", ")}`)),
    );
    const form = new FormData();
    for (const file of files) form.append("files", file);
    if (skipsRejected) form.append("skip_rejected", "true");
    try {
      const made = await (await request("/datasets", { method: "POST", body: form })).json();
      replace(upload, registered(made));
      announce(`The dataset ${made.dataset.name} is there`);
      go(NAME, [made.dataset.id]);
    } catch (error) {
      replace(upload, refused(error, files));
    }
  }

  function registered(made) {
    return h(
      "section",
      { class: "card pad stack", "aria-label": "Ingest report" },
      h(
        "div",
        { class: "headline flush" },
        badge("succeeded", "read"),
        h("strong", { class: "grow" }, `${made.dataset.name} is there`),
        h("a", { class: "button primary", href: link("chat", [made.dataset.id]) }, icon("chat"), "Ask about it"),
        h(
          "button",
          { class: "icon-button", type: "button", "aria-label": "Close the report", onClick: () => replace(upload) },
          icon("close"),
        ),
      ),
      report(made),
    );
  }

  function refused(error, files) {
    const lines = error.report?.files?.some((file) => file.rejected_lines > 0);
    return h(
      "section",
      { class: "card pad stack", "aria-label": "Ingest report" },
      failure(error),
      error.report ? report(error.report) : null,
      lines
        ? h(
            "div",
            { class: "row" },
            button("Leave those lines out", () => send(files, true), { kind: "primary" }),
          )
        : null,
    );
  }
}
