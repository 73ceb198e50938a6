// The Prometheus text format, as far as our own server writes it.

const LINE = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(exposition) {
  const found = [];
  for (const line of exposition.split("\n")) {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name)
      found.push({
        name,
        labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, text]) => [key, text])),
        value: Number(value),
      });
  }
  return found;
}

export function sum(metrics, wanted, labels = {}) {
  const fits = (each) =>
    each.name === wanted && Object.entries(labels).every(([key, text]) => each.labels[key] === text);
  return metrics.filter(fits).reduce((total, { value: number }) => total + number, 0);
}

export const value = (metrics, name) => sum(metrics, name);

// The buckets of a histogram, over all its labels, as `{limit, count, total}`; `total` counts those before as well.
export function buckets(metrics, name) {
  const totals = new Map();
  for (const { name: each, labels, value: number } of metrics) {
    if (each === `${name}_bucket`) totals.set(labels.le, (totals.get(labels.le) ?? 0) + number);
  }
  const sorted = [...totals]
    .map(([limit, total]) => ({ limit: limit === "+Inf" ? Infinity : Number(limit), total }))
    .sort((left, right) => left.limit - right.limit);
  return sorted.map((bucket, index) => ({ ...bucket, count: bucket.total - (sorted[index - 1]?.total ?? 0) }));
}

// The limit below which this share lies; what is above every finite limit has the largest of them.
export function quantile(found, share) {
  const total = found.at(-1)?.total ?? 0;
  const bucket = found.find((each) => each.total >= share * total);
  return Number.isFinite(bucket.limit) ? bucket.limit : found.at(-2).limit;
}
