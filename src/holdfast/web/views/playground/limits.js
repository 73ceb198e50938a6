// The limits of a run. A field left empty takes the server's default.

import { h } from "../../core/dom.js";
import { labelled } from "../../parts/fields.js";

const FIELDS = [
  { name: "timeout", label: "Wall time (s)", isNumber: true, hint: "30" },
  { name: "cpu_seconds", label: "Processor time (s)", isNumber: true, hint: "none" },
  { name: "mem_limit", label: "Memory", hint: "256m" },
  { name: "disk_limit", label: "Disk", hint: "512m" },
  { name: "processes", label: "Processes", isNumber: true, hint: "64" },
  { name: "open_files", label: "Open files", isNumber: true, hint: "1024" },
  { name: "max_output_bytes", label: "Output (bytes a stream)", isNumber: true, hint: "1048576" },
];

export function limits(saved, onChange) {
  const inputs = FIELDS.map(({ name, hint, isNumber }) =>
    h("input", {
      name,
      placeholder: hint,
      inputmode: isNumber ? "decimal" : "text",
      value: saved[name] ?? "",
      onInput: onChange,
    }),
  );
  const network = h("input", { type: "checkbox", checked: saved.allow_network ?? false, onChange });
  const node = h(
    "div",
    { class: "grid" },
    ...FIELDS.map(({ label }, index) => labelled(label, inputs[index])),
    h("label", { class: "check" }, network, "Let it reach the network"),
  );
  return { node, value };

  function value() {
    const given = {};
    for (const [index, { name, isNumber }] of FIELDS.entries()) {
      const text = inputs[index].value.trim();
      if (text) given[name] = isNumber && !Number.isNaN(Number(text)) ? Number(text) : text;
    }
    return network.checked ? { ...given, allow_network: true } : given;
  }
}
