// The text of an answer. Numbers that the result has are marked as checked, those it has not as doubtful.

import { h } from "../../core/dom.js";

// Places count characters, of which some are two units of a JavaScript string.
export function answerText(message, numbers = []) {
  const characters = [...message];
  const pieces = [];
  let at = 0;
  for (const number of [...numbers].sort((left, right) => left.start - right.start)) {
    if (number.start < at) continue;
    pieces.push(
      characters.slice(at, number.start).join(""),
      marked(number, characters.slice(number.start, number.end).join("")),
    );
    at = number.end;
  }
  pieces.push(characters.slice(at).join(""));
  const isDoubtful = numbers.some(({ matched }) => !matched);
  return [
    h("p", { class: "prose" }, ...pieces),
    isDoubtful
      ? h("p", { class: "doubt small" }, "A marked number is not in the result: check it before you rely on it.")
      : null,
  ];
}

function marked({ matched, source, row, column }, text) {
  if (!matched) return h("mark", { class: "doubtful", title: "The result has no such number" }, text);
  const where =
    source === "cell"
      ? `row ${row + 1}, ${column}`
      : { rows: "the number of rows", question: "from the question", query: "from the query" }[source];
  return h("span", { class: "checked", title: `Checked: ${where ?? "in the result"}` }, text);
}
