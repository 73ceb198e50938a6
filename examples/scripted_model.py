"""A language model that only says its lines, to try agents without a provider: python3 examples/scripted_model.py

It speaks as Anthropic does, on 127.0.0.1 and the port it is given (8400), and mends the test of examples/agent.yaml.
"""

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MENDED = "def to_celsius(fahrenheit):\n    return (fahrenheit - 32) * 5 / 9\n"
LINES: list[tuple[str, str, dict[str, str]]] = [
    ("I run the test first.", "shell", {"command": "python3 test_temperature.py"}),
    ("It is off by two degrees.", "read_file", {"path": "temperature.py"}),
    ("", "write_file", {"path": "temperature.py", "content": MENDED}),
    ("", "shell", {"command": "python3 test_temperature.py"}),
    ("The test passes now.", "", {}),
]
"""What it says in each turn, and the tool it uses then."""


def events(turn: int) -> Iterator[dict[str, Any]]:
    """One answer, as it is streamed."""
    text, tool, arguments = LINES[min(turn, len(LINES) - 1)]
    usage = {"input_tokens": 100, "output_tokens": 20}
    message = {"id": f"msg_{turn}", "type": "message", "role": "assistant", "model": "scripted", "content": []}
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}}
    blocks = []
    if text:
        blocks.append(({"type": "text", "text": ""}, {"type": "text_delta", "text": text}))
    if tool:
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": tool, "input": {}}
        blocks.append((call, {"type": "input_json_delta", "partial_json": json.dumps(arguments)}))
    for index, (block, delta) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if tool else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


class Model(BaseHTTPRequestHandler):
    """Answers the turn that a conversation has come to."""

    def do_POST(self) -> None:
        """One turn: as many of its own as the conversation has had before."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        turn = sum(message["role"] == "assistant" for message in asked["messages"])
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events(turn):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8400
    with ThreadingHTTPServer(("127.0.0.1", port), Model) as server:
        print(f"A scripted model: HOLDFAST_ANTHROPIC_BASE_URL=http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
