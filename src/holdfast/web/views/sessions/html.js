// Reads the first table of HTML as text. The browser's own parser is not asked: it would apply, or at least report,
// styles of a document that is only to be read.

const TOKEN = /<!--[^]*?-->|<(style|script)\b[^]*?<\/\1\s*>|<(\/?)(table|tr|th|td)\b[^>]*>|<[a-z!/?][^>]*>|[^<]+|</gi;
const ENTITY = /&(#x[0-9a-f]+|#\d+|[a-z]+);/gi;
const NAMED = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'", nbsp: " " };
const LAST_CHARACTER = 0x10ffff;

// `{columns, rows}` of texts, or null when there is no table with as many cells in each row.
export function tableOf(markup) {
  const rows = [];
  let cell = null;
  for (const [token, , closing, tag] of markup.matchAll(TOKEN)) {
    const name = tag?.toLowerCase();
    if (closing && name === "table") break;
    if (name === "tr" && !closing) rows.push([]);
    if (name) cell = closing || !["td", "th"].includes(name) || !rows.length ? null : rows.at(-1).push("");
    else if (cell !== null && !/^<./.test(token)) rows.at(-1)[cell - 1] += token;
  }
  const [columns, ...rest] = rows.filter((row) => row.length).map((row) => row.map((text) => decoded(text).trim()));
  const isEven = columns && rest.every((row) => row.length === columns.length);
  return isEven ? { columns, rows: rest } : null;
}

function decoded(text) {
  return text.replace(ENTITY, (whole, name) => {
    if (!name.startsWith("#")) return NAMED[name.toLowerCase()] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= LAST_CHARACTER ? String.fromCodePoint(code) : whole;
  });
}
