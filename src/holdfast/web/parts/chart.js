// A chart of a Vega-Lite specification. Vega comes when the first chart does, and interprets expressions: nothing is
// ever made into code, and nothing is fetched.

import { h, replace } from "../core/dom.js";
import { colour, onTheme } from "../core/theme.js";

const REFUSED = "This chart asks for data or pictures from an address. Here a chart has only the data that it brings.";
const PALETTE = ["#0d9488", "#6366f1", "#d97706", "#db2777", "#0284c7", "#65a30d", "#9333ea", "#64748b"];

// `label` is what a screen reader says instead of the picture.
export function chart(spec, label) {
  const place = h("div", { class: "chart-place" });
  const node = h("figure", { class: "chart", role: "img", "aria-label": label }, place);
  let view = null;
  draw();
  onTheme(draw);
  return node;

  async function draw() {
    let isRefused = false;
    try {
      const vega = await import("../vendor/charts.js");
      view?.finalize();
      const runtime = vega.parse(vega.compile(fitted(spec), { config: config() }).spec, null, { ast: true });
      replace(place);
      view = new vega.View(runtime, {
        container: place,
        renderer: "canvas",
        hover: true,
        loader: refusing(() => (isRefused = true)),
        expr: vega.expressionInterpreter,
        logLevel: vega.Warn,
        tooltip: tooltip(place),
      });
      await view.runAsync();
      if (isRefused) place.append(h("p", { class: "muted" }, REFUSED));
    } catch (error) {
      replace(place, h("p", { class: "muted" }, `The chart cannot be drawn: ${error.message}`));
    }
  }
}

// Fetches nothing and leads nowhere, and says when it was asked to.
function refusing(tell) {
  const refuse = () => {
    tell();
    return Promise.reject(new Error(REFUSED));
  };
  return { load: refuse, sanitize: refuse };
}

function fitted(spec) {
  const isSingle = !("facet" in spec || "hconcat" in spec || "vconcat" in spec || "concat" in spec);
  return isSingle ? { height: 260, ...spec, width: "container", autosize: { type: "fit", contains: "padding" } } : spec;
}

// Tooltips of ours hold text only.
function tooltip(place) {
  const box = h("div", { class: "chart-tip", hidden: true });
  return (_, event, __, value) => {
    if (value === null || value === undefined || value === "") {
      box.hidden = true;
      return;
    }
    if (!box.isConnected) place.append(box);
    const lines =
      typeof value === "object"
        ? Object.entries(value).map(([name, each]) =>
            h("div", {}, h("span", { class: "muted" }, `${name} `), String(each)),
          )
        : [String(value)];
    replace(box, ...lines);
    const frame = place.getBoundingClientRect();
    box.style.left = `${Math.min(event.clientX - frame.left + 12, frame.width - 140)}px`;
    box.style.top = `${event.clientY - frame.top + 12}px`;
    box.hidden = false;
  };
}

function config() {
  const [text, muted, line] = ["text", "muted", "border"].map(colour);
  const axis = {
    labelColor: muted,
    titleColor: muted,
    gridColor: line,
    domainColor: line,
    tickColor: line,
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 500,
    titlePadding: 8,
    labelLimit: 160,
  };
  return {
    background: "transparent",
    font: "Inter, system-ui, sans-serif",
    axis,
    axisX: { grid: false },
    legend: { labelColor: muted, titleColor: muted, labelFontSize: 11, titleFontSize: 11, titleFontWeight: 500 },
    title: { color: text, fontSize: 13, fontWeight: 600, anchor: "start" },
    view: { stroke: null },
    range: { category: PALETTE },
    mark: { color: PALETTE[0] },
    bar: { cornerRadiusEnd: 3 },
    line: { strokeWidth: 2 },
    point: { filled: true, size: 50 },
    text: { color: text },
  };
}
