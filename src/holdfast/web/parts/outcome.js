// What became of a run: how it ended, what it used, where its time went, and what held it.

import { h } from "../core/dom.js";
import { bytes, milliseconds, plural, seconds } from "../core/format.js";
import { badge, facts } from "./badge.js";
import { icon } from "./icons.js";

const PHASES = ["queue", "setup", "start", "run", "collect"];

export function usageOf(result) {
  const { usage } = result;
  if (!usage) return null;
  return facts(
    result.exit_code === undefined ? null : ["Exit code", String(result.exit_code)],
    ["Wall time", seconds(usage.wall_seconds)],
    ["Processor", seconds(usage.cpu_user_seconds + usage.cpu_system_seconds)],
    ["Peak memory", bytes(usage.memory_peak_bytes)],
    usage.processes_peak === null ? null : ["Processes", String(usage.processes_peak)],
  );
}

export function timeline(timings) {
  const parts = PHASES.map((name) => ({ name, ms: timings[`${name}_ms`] ?? 0 }));
  const total = parts.reduce((sum, { ms }) => sum + ms, 0) || 1;
  const bar = h(
    "div",
    { class: "timeline", "aria-hidden": "true" },
    ...parts.map(({ name, ms }) => piece(name, (100 * ms) / total)),
  );
  const key = parts.map(({ name, ms }) =>
    h(
      "span",
      { class: "timeline-key" },
      h("i", { class: `dot ${name}`, "aria-hidden": "true" }),
      `${name} `,
      h("b", {}, milliseconds(ms)),
    ),
  );
  return h(
    "section",
    { class: "detail" },
    h("h3", {}, "Where the time went"),
    bar,
    h("div", { class: "timeline-keys" }, ...key),
  );
}

function piece(name, percent) {
  const node = h("span", { class: `piece ${name}` });
  node.style.width = `${percent}%`;
  return node;
}

export function isolationOf(isolation) {
  if (!isolation) return null;
  const layers = [
    [
      isolation.namespaces.length > 0,
      isolation.namespaces.length ? plural(isolation.namespaces.length, "namespace") : "namespaces",
    ],
    [isolation.seccomp === "filter", "system calls filtered"],
    [isolation.cgroup !== "none", `control groups ${isolation.cgroup === "none" ? "" : isolation.cgroup}`],
    [isolation.landlock !== null, isolation.landlock === null ? "Landlock" : `Landlock ${isolation.landlock}`],
    [isolation.no_new_privileges, "no new privileges"],
    [isolation.capabilities_dropped, "no capabilities"],
    [isolation.separate_users, "a user of its own"],
    [isolation.network === "none", isolation.network === "none" ? "no network" : `network: ${isolation.network}`],
  ];
  return h(
    "section",
    { class: "detail" },
    h("h3", {}, icon("shield"), ` Held by ${isolation.engine}`),
    h(
      "ul",
      { class: "layers" },
      ...layers.map(([isOn, text]) =>
        h("li", { class: isOn ? "on" : "off" }, h("span", { class: "unseen" }, isOn ? "on: " : "off: "), text),
      ),
    ),
    isolation.notes?.length ? h("p", { class: "muted small" }, isolation.notes.join(" ")) : null,
  );
}

export function headline(result) {
  const isCut = result.truncated?.stdout || result.truncated?.stderr;
  return [
    badge(result.status),
    h("span", { class: "muted" }, sentence(result)),
    isCut ? h("span", { class: "badge warn" }, "output cut at its limit") : null,
  ];
}

function sentence({ status, usage, limits, exit_code: code }) {
  if (status === "timed_out") return `ended at its limit of ${seconds(limits?.wall_seconds)}`;
  if (status === "out_of_memory") return `went beyond ${bytes(limits?.memory_bytes)} of memory`;
  return usage ? `exit ${code} after ${seconds(usage.wall_seconds)}` : `exit ${code}`;
}
