// The tests of a submission, each a card with the fields its type has.

import { h, replace } from "../../core/dom.js";
import { button, choice, labelled } from "../../parts/fields.js";
import { icon } from "../../parts/icons.js";

const JSON_VALUE = "json";
const TYPES = {
  output: { title: "prints", fields: { expected: "text" } },
  variable_exists: { title: "has a variable", fields: { variable: "text" } },
  variable_type: { title: "variable has the type", fields: { variable: "text", expectedType: "text" } },
  variable_value: { title: "variable has the value", fields: { variable: "text", expected: JSON_VALUE } },
  function_call: { title: "function returns", fields: { function: "text", args: JSON_VALUE, expected: JSON_VALUE } },
  list_contains: { title: "list contains", fields: { variable: "text", expected: JSON_VALUE } },
  list_length: { title: "list has the length", fields: { variable: "text", expected: JSON_VALUE } },
  stdin: { title: "answers its input", fields: { stdin: "lines", expected_stdout: "lines" } },
};
const LABELS = {
  expected: "Expected",
  variable: "Variable",
  expectedType: "Type",
  function: "Function",
  args: "Arguments",
  stdin: "Input",
  expected_stdout: "Output",
};

export function testList(initial, onChange) {
  let tests = structuredClone(initial);
  const list = h("ol", { class: "tests" });
  const node = h(
    "div",
    { class: "stack" },
    list,
    h("div", { class: "row" }, button("Add a test", add, { picture: icon("plus") })),
  );
  draw();
  return { node, value: () => tests };

  function add() {
    tests = [...tests, { type: "output", description: "", expected: "" }];
    draw();
    onChange();
    list.lastChild.querySelector("input").focus();
  }

  function draw() {
    replace(list, ...tests.map(card));
  }

  function change(index, fields) {
    tests = tests.map((test, at) => (at === index ? { ...test, ...fields } : test));
    onChange();
  }

  function card(test, index) {
    const type = choice(
      Object.entries(TYPES).map(([value, { title }]) => ({ value, title })),
      { "aria-label": "What is tested", onChange: () => retype(index, type.value) },
    );
    type.value = test.type;
    const description = h("input", {
      value: test.description ?? "",
      placeholder: "What it is called",
      "aria-label": "Name of the test",
      onInput: () => change(index, { description: description.value }),
    });
    const points = h("input", {
      value: String(test.points ?? 1),
      inputmode: "decimal",
      class: "short",
      "aria-label": "Points",
      onInput: () => change(index, { points: Number(points.value) || 0 }),
    });
    const hidden = h("input", {
      type: "checkbox",
      checked: test.hidden ?? false,
      onChange: () => change(index, { hidden: hidden.checked }),
    });
    const drop = h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": `Remove test ${index + 1}`,
        onClick: () => ((tests = tests.filter((_, at) => at !== index)), draw(), onChange()),
      },
      icon("trash"),
    );
    const fields = Object.entries(TYPES[test.type].fields).map(([name, kind]) =>
      labelled(LABELS[name], fieldOf(test, index, name, kind)),
    );
    return h(
      "li",
      { class: "test" },
      h("div", { class: "row" }, description, drop),
      h(
        "div",
        { class: "row" },
        type,
        h("label", { class: "check" }, "Points ", points),
        h("label", { class: "check" }, hidden, "Hidden"),
      ),
      h("div", { class: "grid" }, ...fields),
    );
  }

  function retype(index, type) {
    const { description, points, hidden } = tests[index];
    const fields = Object.keys(TYPES[type].fields).map((name) => [
      name,
      name === "args" ? [] : name === "expected" && type === "list_length" ? 0 : "",
    ]);
    tests[index] = { type, description, points, hidden, ...Object.fromEntries(fields) };
    draw();
    onChange();
  }

  function fieldOf(test, index, name, kind) {
    const written = kind === JSON_VALUE ? JSON.stringify(test[name] ?? null) : String(test[name] ?? "");
    const field = h(kind === "lines" ? "textarea" : "input", {
      class: "mono",
      spellcheck: "false",
      value: written,
      onInput: () => change(index, { [name]: kind === JSON_VALUE ? valueOf(field.value) : field.value }),
    });
    return field;
  }
}

// JSON where it is JSON; else the text as it is, since `hello` plainly means "hello".
function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
