// The shell: brand, navigation, theme, and one place for the view that is open.

import { announce } from "./core/announce.js";
import { h, replace } from "./core/dom.js";
import { link, onRoute } from "./core/router.js";
import { load, store } from "./core/state.js";
import { isDark, onTheme, toggleTheme } from "./core/theme.js";
import { failure, loading } from "./parts/states.js";
import { icon } from "./parts/icons.js";
import { VIEWS } from "./views.js";

const made = new Map();
let current = null;

const main = h("main", { id: "main", class: "main", tabindex: "0" });
const links = new Map(VIEWS.map((view) => [view.name, navLink(view)]));
const menu = h(
  "button",
  { class: "icon-button menu", "aria-expanded": "false", "aria-controls": "nav", onClick: toggleMenu },
  icon("menu"),
  h("span", { class: "unseen" }, "Menu"),
);
const theme = h("button", { class: "theme-toggle", onClick: () => (toggleTheme(), showTheme()) });
const nav = h(
  "nav",
  { id: "nav", class: "nav", "aria-label": "Views" },
  h("ul", {}, ...VIEWS.map(({ name }) => h("li", {}, links.get(name)))),
  h(
    "div",
    { class: "nav-foot" },
    theme,
    h("a", { href: "/docs", class: "nav-link small" }, icon("book"), h("span", {}, "API reference")),
  ),
);

replace(
  document.getElementById("app"),
  h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: link("chat") }, icon("brand"), h("span", {}, "Holdfast")),
    h("span", { class: "top-title" }),
    menu,
  ),
  nav,
  main,
);
showTheme();
onTheme(showTheme);
onRoute(open);
addEventListener("keydown", shortcuts);

function navLink({ name, title, icon: picture }) {
  return h("a", { class: "nav-link", href: link(name) }, icon(picture), h("span", {}, title));
}

function showTheme() {
  replace(theme, icon(isDark() ? "sun" : "moon"), h("span", {}, isDark() ? "Light" : "Dark"));
}

function toggleMenu() {
  setMenu(!document.body.classList.contains("menu-open"));
}

function setMenu(isOpen) {
  document.body.classList.toggle("menu-open", isOpen);
  menu.setAttribute("aria-expanded", String(isOpen));
}

async function open(route) {
  const row =
    VIEWS.find(({ name }) => name === route.view) ?? VIEWS.find(({ name }) => name === load("view", "")) ?? VIEWS[0];
  const isKnown = row.name === route.view;
  setMenu(false);
  store("view", row.name);
  for (const [name, node] of links) {
    if (name === row.name) node.setAttribute("aria-current", "page");
    else node.removeAttribute("aria-current");
  }
  document.querySelector(".top-title").textContent = row.title;
  if (current !== row.name) {
    made.get(current)?.hide?.();
    const isFirst = current === null;
    current = row.name;
    document.title = `${row.title} · Holdfast`;
    if (!made.has(row.name)) replace(main, loading(`Loading ${row.title}`));
    if (!isFirst) announce(row.title);
  }
  try {
    const view = await viewOf(row);
    if (current !== row.name) return;
    if (main.firstChild !== view.node) replace(main, view.node);
    view.show?.(isKnown ? route : { ...route, parts: [] });
  } catch (error) {
    replace(main, failure(error));
  }
}

async function viewOf(row) {
  if (!made.has(row.name)) made.set(row.name, (await row.load()).create());
  return made.get(row.name);
}

function shortcuts(event) {
  const isTyping = event.composedPath()[0]?.matches?.("input, textarea, select, [contenteditable=true]");
  if (event.key === "Escape") setMenu(false);
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const number = Number(event.key);
  if (number >= 1 && number <= VIEWS.length) location.hash = link(VIEWS[number - 1].name);
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
