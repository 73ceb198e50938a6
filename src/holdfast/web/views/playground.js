// Run a program in any language, and see what it writes while it runs.

import { get, isAbort, stream } from "../core/api.js";
import { announce } from "../core/announce.js";
import { h, replace } from "../core/dom.js";
import { rewrite } from "../core/router.js";
import { load, store } from "../core/state.js";
import { artifacts } from "../parts/artifacts.js";
import { badge } from "../parts/badge.js";
import { editor } from "../parts/editor.js";
import { button, choice, labelled, titled } from "../parts/fields.js";
import { fileList } from "../parts/files.js";
import { icon } from "../parts/icons.js";
import { headline, isolationOf, timeline, usageOf } from "../parts/outcome.js";
import { output } from "../parts/output.js";
import { empty, failure } from "../parts/states.js";
import { tabs } from "../parts/tabs.js";
import { EXAMPLES } from "./playground/examples.js";
import { limits } from "./playground/limits.js";

const NAME = "playground";
const PREFIX = "code-runner-";

export function create() {
  const saved = load(NAME, { language: "python", programs: {}, stdin: "", limits: {}, artifacts: "*.png" });
  let running = null;
  // The languages of prebuilt environments, by their tags.
  const languages = {};

  const code = editor({
    value: programOf(saved.language),
    language: saved.base ?? saved.language,
    label: "Program",
    minLines: 16,
    onChange: keep,
    onRun: run,
  });
  const language = choice([{ value: saved.language, title: saved.language }], {
    "aria-label": "Language",
    onChange: changed,
  });
  const stdin = h("textarea", {
    rows: "6",
    class: "mono",
    value: saved.stdin,
    onInput: keep,
    placeholder: "Text the program reads",
  });
  const patterns = h("input", { value: saved.artifacts, onInput: keep, spellcheck: "false" });
  const files = fileList((number) => input.mark("files", number || ""));
  const bounds = limits(saved.limits, keep);
  const input = tabs("Input", [
    { name: "code", title: "Code", content: code.node },
    {
      name: "files",
      title: "Files",
      content: h(
        "div",
        { class: "pad stack" },
        files.node,
        labelled("Files to bring back", patterns, "Patterns with blanks between them, such as *.png report.csv"),
      ),
    },
    { name: "stdin", title: "Stdin", content: h("div", { class: "pad" }, labelled("Standard input", stdin)) },
    { name: "limits", title: "Limits", content: h("div", { class: "pad" }, bounds.node) },
  ]);
  const runButton = button("Run", run, { kind: "primary", picture: icon("play"), title: "Ctrl+Enter" });
  const stopButton = button("Stop", () => running?.abort(), { kind: "danger", picture: icon("stop"), hidden: true });
  const results = h(
    "div",
    { class: "results" },
    empty("play", "Nothing has run yet", "Press Ctrl+Enter or ⌘+Enter. Output appears here as the program writes it."),
  );
  const node = h(
    "div",
    { class: "view wide" },
    titled("Playground", "Run a program in a sandbox made for it alone."),
    h(
      "div",
      { class: "split" },
      h(
        "section",
        { class: "card", "aria-label": "Program" },
        h(
          "div",
          { class: "bar" },
          language,
          h("span", { class: "grow" }),
          h("kbd", { class: "hint" }, "Ctrl ↵"),
          stopButton,
          runButton,
        ),
        input.node,
      ),
      h("section", { class: "card", "aria-label": "Result" }, results),
    ),
  );
  listLanguages();
  return { node, show };

  function show({ parts: [name] }) {
    if (!name || name === saved.language) return;
    const options = [...language.options];
    const isListed = options.some(({ value, disabled }) => value === name && !disabled);
    if (!isListed && options.length > 1) return;
    // The list may not have come yet.
    if (!isListed) language.append(h("option", { value: name }, name));
    language.value = name;
    changed();
  }

  async function listLanguages() {
    try {
      const [{ images }, prebuilds] = await Promise.all([get("/runtimes"), prebuilt()]);
      const wanted = language.value;
      replace(
        language,
        ...images.map(({ id, name, ready, version, install }) =>
          h(
            "option",
            { value: id.replace(PREFIX, ""), disabled: !ready, title: ready ? "" : install },
            ready ? `${name} ${version}` : `${name} (not installed)`,
          ),
        ),
        group(prebuilds),
      );
      language.value = wanted;
      if (language.selectedIndex >= 0) return;
      language.selectedIndex = 0;
      changed();
    } catch (error) {
      if (!isAbort(error)) replace(results, failure(error, listLanguages));
    }
  }

  async function prebuilt() {
    try {
      const { prebuilds } = await get("/prebuilds");
      for (const { tag, base_image: base } of prebuilds) languages[tag] = base.replace(PREFIX, "");
      return prebuilds;
    } catch (error) {
      if (isAbort(error)) throw error;
      // A key may run programs and not see these.
      return [];
    }
  }

  function programOf(name) {
    return saved.programs[name] ?? EXAMPLES[name] ?? EXAMPLES[languages[name]] ?? "";
  }

  function changed() {
    saved.language = language.value;
    saved.base = languages[saved.language];
    code.setLanguage(saved.base ?? saved.language);
    code.value = programOf(saved.language);
    rewrite(NAME, [saved.language]);
    keep();
  }

  function keep() {
    saved.programs[saved.language] = code.value;
    store(NAME, { ...saved, stdin: stdin.value, artifacts: patterns.value, limits: bounds.value() });
  }

  function request() {
    return {
      code: code.value,
      image: language.value,
      files: files.value(),
      stdin: stdin.value,
      artifacts: patterns.value.split(/\s+/).filter(Boolean),
      ...bounds.value(),
    };
  }

  async function run() {
    if (running) return;
    running = new AbortController();
    setRunning(true);
    const log = output();
    const state = h("div", { class: "headline" }, badge("starting"));
    const rest = h("div", { class: "stack pad" });
    replace(results, h("h2", { class: "unseen" }, "Result"), state, log.node, rest);
    try {
      for await (const { type, data } of stream("/run/stream", request(), { signal: running.signal }))
        tell(type, data, { log, state, rest });
    } catch (error) {
      replace(state, isAbort(error) ? badge("cancelled") : null);
      if (!isAbort(error)) replace(rest, failure(error, run));
      announce(isAbort(error) ? "Cancelled" : error.message);
    } finally {
      running = null;
      setRunning(false);
    }
  }

  function setRunning(isRunning) {
    stopButton.hidden = !isRunning;
    runButton.disabled = isRunning;
  }
}

function group(prebuilds) {
  if (!prebuilds.length) return null;
  return h(
    "optgroup",
    { label: "Prebuilt environments" },
    ...prebuilds.map(({ tag, base_image: base }) =>
      h("option", { value: tag }, `${tag} (${base.replace(PREFIX, "")})`),
    ),
  );
}

function tell(type, data, { log, state, rest }) {
  if (type === "compiled") log.write("stderr", data.compile.stdout + data.compile.stderr);
  if (type === "started") replace(state, badge("running"));
  if (type === "output") log.write(data.stream, data.text);
  if (type === "error") replace(rest, failure({ ...data, message: data.detail, requestId: data.request_id }));
  if (type !== "exited") return;
  const { result } = data;
  replace(state, ...headline(result));
  if (log.isEmpty) log.write("note", result.status === "succeeded" ? "The program wrote nothing." : "");
  replace(
    rest,
    artifacts(result.artifacts),
    metadata(result),
    usageOf(result),
    timeline(result.timings),
    isolationOf(result.isolation),
    notes(result),
    h("p", { class: "muted small" }, "Run ", h("code", {}, result.run_id)),
  );
  announce(`The program ${result.status.replaceAll("_", " ")}`);
}

function metadata({ metadata: value }) {
  return value === null || value === undefined
    ? null
    : h(
        "section",
        { class: "detail" },
        h("h3", {}, "Metadata"),
        h("pre", { class: "json" }, JSON.stringify(value, null, 2)),
      );
}

function notes({ notes: sentences }) {
  return sentences?.length ? h("p", { class: "muted small" }, sentences.join(" ")) : null;
}
