"""A server that speaks as providers of language models do, and says what it was told to."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Speak = Callable[[str, str | None, Any], Iterator[bytes]]
MENDED = "def to_celsius(fahrenheit):\n    return (fahrenheit - 32) * 5 / 9\n"
TURNS: list[Any] = [
    ("I run the test first.", "shell", {"command": "python test_temperature.py"}),
    ("It is off by two degrees.", "read_file", {"path": "temperature.py"}),
    ("", "write_file", {"path": "temperature.py", "content": MENDED}),
    ("", "shell", {"command": "python test_temperature.py; printenv"}),
    ("The test passes now.", None, None),
]


class Model:
    """Says its turns, one for each request, as a stream of what `speak` makes of them."""

    def __init__(self, turns: list[Any], speak: Speak, path: str) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text, name, arguments = turns[len(model.asked)]
                model.asked.append(body)
                model.headers.append({key.lower(): value for key, value in self.headers.items()})
                self.send_response(200 if self.path == path else 404)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for piece in speak(text, name, arguments):
                    self.wfile.write(piece)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def as_openai(text: str, name: str | None, arguments: Any) -> Iterator[bytes]:
    for chunk in chunks(text, name, arguments):
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


def as_anthropic(text: str, name: str | None, arguments: Any) -> Iterator[bytes]:
    """A message of blocks, each begun, told in pieces and ended."""
    for event in blocks(text, name, arguments):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def blocks(text: str, name: str | None, arguments: Any) -> Iterator[dict[str, Any]]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    usage = {"input_tokens": 10, "output_tokens": 1}
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}}
    pieces: list[tuple[dict[str, Any], str, str, list[str]]] = []
    if text:
        words = [f"{word} " for word in text.split(" ")]
        pieces.append(({"type": "text", "text": ""}, "text_delta", "text", words))
    if name is not None:
        call = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
        written = json.dumps(arguments)
        pieces.append((call, "input_json_delta", "partial_json", [written[:7], written[7:]]))
    for index, (block, kind, field, parts) in enumerate(pieces):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for part in parts:
            yield {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: part}}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": "tool_use" if name else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


def chunks(text: str, name: str | None, arguments: Any) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    for word in text.split(" "):
        yield chunk({"role": "assistant", "content": f"{word} "})
    if name is not None:
        function = {"name": name, "arguments": json.dumps(arguments)}
        yield chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})
    yield chunk({}, "tool_calls" if name else "stop")
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    yield {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
