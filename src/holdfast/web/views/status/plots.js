// Small plots, drawn by hand: they are there at once and need no library.

import { h, svg } from "../../core/dom.js";
import { seconds } from "../../core/format.js";

const [WIDTH, HEIGHT] = [240, 48];

export function line(values, label) {
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map(
    (value, index) => `${(index * step).toFixed(1)},${(HEIGHT - 3 - (value / most) * (HEIGHT - 8)).toFixed(1)}`,
  );
  const shape = points.length > 1 ? `M${points.join("L")}` : `M0,${points[0]?.split(",")[1] ?? HEIGHT}H${WIDTH}`;
  return svg(
    "svg",
    { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("path", { class: "plot-area", d: `${shape}V${HEIGHT}H0Z` }),
    svg("path", { class: "plot-line", d: shape, "vector-effect": "non-scaling-stroke" }),
  );
}

export function histogram(buckets, label) {
  const most = Math.max(1, ...buckets.map(({ count }) => count));
  const finite = buckets.filter(({ limit }) => Number.isFinite(limit));
  const named = [0, Math.floor(finite.length / 2), finite.length - 1].map((index) => finite[index]).filter(Boolean);
  return h(
    "div",
    {},
    h("div", { class: "histogram", role: "img", "aria-label": label }, ...buckets.map((bucket) => bar(bucket, most))),
    h("div", { class: "axis", "aria-hidden": "true" }, ...named.map(({ limit }) => h("span", {}, seconds(limit)))),
  );
}

function bar({ limit, count }, most) {
  const piece = h("span", {
    class: count ? "bar-piece" : "bar-piece none",
    title: `${Number.isFinite(limit) ? `up to ${seconds(limit)}` : "longer"}: ${count}`,
  });
  piece.style.height = `${Math.max(2, (100 * count) / most)}%`;
  return piece;
}
