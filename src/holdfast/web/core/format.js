// Numbers, sizes and times as people read them.

const UNITS = ["B", "KB", "MB", "GB", "TB"];
const WHOLE = new Intl.NumberFormat("en");
const DECIMAL = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });
const WHEN = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const NUMERIC = /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|FLOAT|DOUBLE|REAL|DECIMAL.*)$/;
const FRACTIONAL = /^(?:FLOAT|DOUBLE|REAL|DECIMAL.*)$/;

export const isNumeric = (type) => NUMERIC.test(type ?? "");
export const isTime = (type) => /^(?:DATE|TIMESTAMP.*)$/.test(type ?? "");

export const count = (value) => WHOLE.format(value);

export function plural(number, noun, many = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : many}`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  let [amount, unit] = [value, 0];
  while (amount >= 1024 && unit < UNITS.length - 1) [amount, unit] = [amount / 1024, unit + 1];
  return `${amount >= 100 || unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 1) return `${(value * 1000).toFixed(value < 0.1 ? 1 : 0)} ms`;
  return value < 120 ? `${value.toFixed(value < 10 ? 2 : 1)} s` : `${Math.round(value / 60)} min`;
}

export const milliseconds = (value) => seconds(value === null || value === undefined ? value : value / 1000);

export function when(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? String(text ?? "") : WHEN.format(date);
}

export function ago(text) {
  const passed = (Date.now() - new Date(text).getTime()) / 1000;
  if (passed < 60) return "just now";
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3600)} h ago`;
  return when(text);
}

// A cell of a result as text. Only fractions are shortened: the number of an order is no amount.
export function cell(value, type) {
  if (value === null || value === undefined) return "null";
  if (FRACTIONAL.test(type ?? "") && value !== "" && Number.isFinite(Number(value)))
    return DECIMAL.format(Number(value));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
