// Makes elements. Whatever comes from data, programs or models goes in as text: there is no way to put markup in.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set([
  "value",
  "checked",
  "disabled",
  "hidden",
  "selected",
  "open",
  "multiple",
  "required",
  "readOnly",
]);
const FORBIDDEN = /^(?:on|style$|srcdoc$)/i;
const SAFE_ADDRESS = /^(?:#|\/(?!\/)|blob:|data:image\/)/;

export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

function filled(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  append(node, children);
  return node;
}

function set(node, name, value) {
  if (value === undefined || value === null) return;
  if (typeof value === "function") node.addEventListener(name.replace(/^on/, "").toLowerCase(), value);
  else if (name === "data") Object.assign(node.dataset, value);
  else if (PROPERTIES.has(name)) node[name] = value;
  else if (FORBIDDEN.test(name)) throw new TypeError(`'${name}' is no attribute of ours`);
  else if ((name === "href" || name === "src") && !SAFE_ADDRESS.test(value))
    throw new TypeError(`'${name}' leads elsewhere`);
  else if (value === true) node.setAttribute(name, "");
  else if (value !== false) node.setAttribute(name, String(value));
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

let lastId = 0;

export function freshId(prefix = "id") {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
