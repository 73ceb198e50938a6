// How the service is: engine, stock, queue, and how long things take.

import { get, isAbort, text } from "../core/api.js";
import { h, replace } from "../core/dom.js";
import { count, seconds } from "../core/format.js";
import { badge, facts } from "../parts/badge.js";
import { titled } from "../parts/fields.js";
import { failure, loading } from "../parts/states.js";
import { histogram, line } from "./status/plots.js";
import { buckets, parseMetrics, quantile, sum, value } from "./status/prometheus.js";

const EVERY_MILLISECONDS = 2000;
const KEPT = 90;
const DURATIONS = [
  ["holdfast_run_seconds", "Programs", "Wall time of programs"],
  ["holdfast_setup_seconds", "Sandboxes", "Time to make a sandbox"],
  ["holdfast_queue_seconds", "Queue", "Time a run waited for a place"],
];
const GAUGES = [
  ["holdfast_running", "Running"],
  ["holdfast_queued", "Waiting"],
  ["holdfast_pool_stock", "Sandboxes in stock"],
  ["holdfast_sessions", "Sessions"],
];

export function create() {
  const history = new Map(GAUGES.map(([name]) => [name, []]));
  const body = h("div", { class: "stack loose" }, loading("Asking the server"));
  const node = h(
    "div",
    { class: "view wide" },
    titled("Status", "What this server is, and how it does just now."),
    body,
  );
  let timer = 0;
  return { node, show, hide };

  function show() {
    clearInterval(timer);
    timer = setInterval(() => document.hidden || refresh(), EVERY_MILLISECONDS);
    refresh();
  }

  function hide() {
    clearInterval(timer);
  }

  async function refresh() {
    try {
      const [health, exposition] = await Promise.all([get("/health"), text("/metrics")]);
      draw(health, parseMetrics(exposition));
    } catch (error) {
      hide();
      replace(
        body,
        isAbort(error) ? failure(new Error("Without a key this server shows no numbers."), show) : failure(error, show),
      );
    }
  }

  function draw(health, metrics) {
    for (const [name, seen] of history) {
      seen.push(value(metrics, name));
      if (seen.length > KEPT) seen.shift();
    }
    replace(
      body,
      server(health),
      h("div", { class: "tiles" }, ...GAUGES.map(([name, label]) => gauge(label, history.get(name)))),
      h(
        "div",
        { class: "tiles wide-tiles" },
        ...DURATIONS.map(([name, title, text_]) => duration(metrics, name, title, text_)),
      ),
      counters(metrics),
    );
  }
}

function server({ status, version, engine, auth_enabled: hasKeys, docker_connected: hasDocker, enforced }) {
  return h(
    "section",
    { class: "card pad stack" },
    h(
      "div",
      { class: "headline flush" },
      badge(status),
      h("h2", {}, `Holdfast ${version}`),
      h("span", { class: "muted" }, `engine ${engine}`),
    ),
    h(
      "ul",
      { class: "layers" },
      ...enforced.layers.map((layer) => h("li", { class: "on" }, layer.replaceAll("_", " "))),
    ),
    facts(
      ["Keys", hasKeys ? "needed" : "none: open to this machine"],
      ["Docker", hasDocker ? "answers" : "not there"],
      ["Control groups", enforced.cgroup],
      ["Landlock", enforced.landlock === null ? "–" : `ABI ${enforced.landlock}`],
      ["Network", enforced.networks.join(", ")],
      ["Limits", String(enforced.limits.length)],
    ),
  );
}

function gauge(label, seen) {
  return h(
    "section",
    { class: "card tile" },
    h("h3", {}, label),
    h("p", { class: "figure" }, count(seen.at(-1) ?? 0)),
    line(seen, `${label}, last three minutes`),
  );
}

function duration(metrics, name, title, about) {
  const found = buckets(metrics, name);
  const total = found.at(-1)?.total ?? 0;
  const percentiles = [50, 90, 99].map((percent) =>
    h(
      "span",
      {},
      h("span", { class: "muted" }, `p${percent} `),
      total ? `≤ ${seconds(quantile(found, percent / 100))}` : "–",
    ),
  );
  return h(
    "section",
    { class: "card tile" },
    h("h3", {}, title),
    h("p", { class: "muted small" }, about),
    h("p", { class: "row percentiles" }, ...percentiles),
    histogram(found, `${about}, ${count(total)} in all`),
    h("p", { class: "muted small" }, `${count(total)} since the server started`),
  );
}

function counters(metrics) {
  const ended = metrics
    .filter(({ name }) => name === "holdfast_runs_total" || name === "holdfast_rejected_total")
    .filter((each) => each.value > 0);
  const rows = ended.map(({ labels, value: number }) =>
    h(
      "li",
      {},
      h("span", { class: "grow" }, labels.code ? `refused: ${labels.code.replaceAll("_", " ")}` : labels.language),
      labels.status ? badge(labels.status) : null,
      h("b", {}, count(number)),
    ),
  );
  const found = sum(metrics, "holdfast_pool_taken_total", { found: "yes" });
  const missed = sum(metrics, "holdfast_pool_taken_total", { found: "no" });
  return h(
    "section",
    { class: "card pad stack" },
    h("h3", {}, "Since the server started"),
    rows.length ? h("ul", { class: "counter-list" }, ...rows) : h("p", { class: "muted" }, "Nothing has run yet."),
    found + missed
      ? h(
          "p",
          { class: "muted small" },
          `${Math.round((100 * found) / (found + missed))} % of ${count(found + missed)} runs found a sandbox ready.`,
        )
      : null,
  );
}
