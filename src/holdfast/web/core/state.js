// What a reload keeps: one JSON value a name, in this browser only.

const PREFIX = "holdfast.";
const MAX_CHARACTERS = 1_000_000;

export function load(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? fallback;
  } catch {
    return fallback;
  }
}

export function store(name, value) {
  const text = JSON.stringify(value);
  if (text.length > MAX_CHARACTERS) return;
  try {
    localStorage.setItem(PREFIX + name, text);
  } catch {
    // A full or forbidden store: the page works, it only forgets.
  }
}
