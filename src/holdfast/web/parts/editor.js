// A code editor. It starts as a plain text field, and becomes CodeMirror when that has come.
//
// CodeMirror lives in a shadow root of its own: there it uses constructed style sheets, which need no exception in the
// Content-Security-Policy.

import { h } from "../core/dom.js";

const LANGUAGES = {
  python: (cm) => cm.python(),
  node: (cm) => cm.javascript(),
  deno: (cm) => cm.javascript({ typescript: true }),
  bun: (cm) => cm.javascript({ typescript: true }),
  go: (cm) => cm.go(),
  rust: (cm) => cm.rust(),
  bash: (cm) => cm.StreamLanguage.define(cm.shell),
  sql: (cm) => cm.sql({ dialect: cm.PostgreSQL }),
  json: (cm) => cm.json(),
};
const COLOURS = [
  ["keyword", ["keyword", "modifier", "operatorKeyword", "controlKeyword", "definitionKeyword", "moduleKeyword"]],
  ["string", ["string", "regexp", "special"]],
  ["number", ["number", "bool", "null", "atom"]],
  ["comment", ["comment", "lineComment", "blockComment", "meta"]],
  ["name", ["typeName", "className", "namespace", "propertyName"]],
  ["call", ["function"]],
];

// `onRun` is called for Ctrl+Enter and Cmd+Enter, `onChange` with each new text.
export function editor({ value = "", language = "", label, onChange, onRun, minLines = 6 }) {
  const field = h("textarea", {
    class: "code-field",
    "aria-label": label,
    spellcheck: "false",
    autocapitalize: "off",
    rows: String(minLines),
    value,
    onInput: () => onChange?.(field.value),
    onKeydown: keyed,
  });
  const node = h("div", { class: "editor" }, field);
  let live = null;
  upgrade();
  return {
    node,
    get value() {
      return live ? live.text() : field.value;
    },
    set value(text) {
      if (live) live.setText(text);
      else field.value = text;
    },
    setLanguage(name) {
      language = name;
      live?.setLanguage(name);
    },
    focus: () => (live ?? field).focus(),
  };

  function keyed(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    onRun?.();
  }

  async function upgrade() {
    try {
      const cm = await import("../vendor/codemirror.js");
      const hadFocus = document.activeElement === field;
      live = liveEditor(cm, node, { text: field.value, language, label, onChange, onRun, minLines });
      field.remove();
      if (hadFocus) live.focus();
    } catch {
      // Without CodeMirror the text field stays, which does all but colours.
    }
  }
}

function liveEditor(cm, node, { text, language, label, onChange, onRun, minLines }) {
  const place = h("div", { class: "editor-host" });
  node.append(place);
  const root = place.attachShadow({ mode: "open" });
  const chosen = new cm.Compartment();
  const languageOf = (name) => LANGUAGES[name]?.(cm) ?? [];
  const run = () => (onRun?.(), true);
  const view = new cm.EditorView({
    root,
    parent: root,
    state: cm.EditorState.create({
      doc: text,
      extensions: [
        cm.keymap.of([
          { key: "Mod-Enter", run },
          { key: "Ctrl-Enter", run },
          { key: "Tab", run: cm.indentMore, shift: cm.indentLess },
        ]),
        cm.keymap.of([...cm.closeBracketsKeymap, ...cm.historyKeymap, ...cm.defaultKeymap]),
        ...[
          cm.lineNumbers(),
          cm.history(),
          cm.drawSelection(),
          cm.bracketMatching(),
          cm.closeBrackets(),
          cm.indentOnInput(),
        ],
        ...[
          cm.highlightActiveLine(),
          cm.highlightActiveLineGutter(),
          cm.indentUnit.of("    "),
          cm.EditorView.lineWrapping,
        ],
        cm.EditorView.domEventHandlers({ beforeinput: (event, view) => overtyped(cm, event, view) }),
        cm.syntaxHighlighting(colours(cm)),
        cm.EditorView.theme(theme(minLines)),
        cm.EditorView.contentAttributes.of({ "aria-label": `${label}. Press Escape, then Tab, to leave.` }),
        cm.EditorView.updateListener.of((update) => update.docChanged && onChange?.(update.state.doc.toString())),
        chosen.of(languageOf(language)),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    setLanguage: (name) => view.dispatch({ effects: chosen.reconfigure(languageOf(name)) }),
    focus: () => view.focus(),
  };
}

// Typing over a selection: left to itself, Chromium would keep the look of what was there in a `style` attribute, which
// the policy stops and reports.
function overtyped(cm, event, view) {
  const { from, to, empty } = view.state.selection.main;
  if (event.inputType !== "insertText" || event.data === null || empty || view.composing) return false;
  event.preventDefault();
  const typed = () =>
    view.state.update(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  const isHandled = view.state
    .facet(cm.EditorView.inputHandler)
    .some((handle) => handle(view, from, to, event.data, typed));
  if (!isHandled) view.dispatch(typed());
  return true;
}

function colours(cm) {
  const rules = COLOURS.map(([name, tags]) => ({
    tag: tags.map((tag) => simple(cm.tags[tag], cm)),
    color: `var(--code-${name})`,
  }));
  return cm.HighlightStyle.define(rules);
}

// Some tags are made for others, as `function` is for names.
function simple(tag, cm) {
  return typeof tag === "function" ? tag(cm.tags.variableName) : tag;
}

function theme(minLines) {
  return {
    "&": { color: "var(--text)", backgroundColor: "transparent", fontSize: "13px", height: "100%" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
    ".cm-content": { minHeight: `${minLines * 1.6}em`, padding: "10px 0", caretColor: "var(--accent)" },
    ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "none", paddingLeft: "4px" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line-tint)" },
    ".cm-cursor": { borderLeftColor: "var(--accent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
      backgroundColor: "var(--selection)",
    },
    "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selection)" },
  };
}
