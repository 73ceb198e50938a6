// Light, dark, or what the system says; `theme.js` applies the choice before the first paint.

const NAME = "holdfast.theme";
const CHANGED = "holdfast-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

export function toggleTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem(NAME, next);
  dispatchEvent(new Event(CHANGED));
  return next;
}

export function onTheme(listener) {
  addEventListener(CHANGED, listener);
  dark.addEventListener("change", listener);
}

// What a colour of the style sheet is just now, for pictures that cannot read it themselves.
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
