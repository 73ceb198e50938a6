// Addresses are `#/view/part/part?name=value`, so that every state worth a link has one, and the server knows only `/`.

export function parseRoute(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...parts] = path.split("/").map(decoded);
  return { view, parts: parts.filter(Boolean), query: new URLSearchParams(query) };
}

export function link(view, parts = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given).toString();
  return `#/${[view, ...parts].map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function go(...target) {
  location.hash = link(...target);
}

// Changes the address without a step in the history and without telling the view, which knows already.
export function rewrite(...target) {
  history.replaceState(history.state, "", link(...target));
}

export function onRoute(listener) {
  addEventListener("hashchange", () => listener(parseRoute()));
  listener(parseRoute());
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
