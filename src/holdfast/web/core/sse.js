// Server-sent events out of a stream of bytes; `fetch` and not EventSource, because a request has a body and a key.

export async function* parseEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      waiting += value;
      const blocks = waiting.split(/\r?\n\r?\n/);
      waiting = blocks.pop();
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseBlock(block) {
  const event = { id: null, type: "message", data: "" };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([a-z]*): ?(.*)$/s.exec(line) ?? [];
    if (field === "id") event.id = value;
    if (field === "event") event.type = value;
    if (field === "data") data.push(value);
  }
  if (!data.length) return null;
  return { ...event, data: JSON.parse(data.join("\n")) };
}
