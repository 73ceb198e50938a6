"""An agent on the product: a server that speaks as OpenAI's does, tools in a real sandbox, events over HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.product import product

BROKEN = {
    "temperature.py": "def to_celsius(fahrenheit):\n    return (fahrenheit - 30) * 5 / 9\n",
    "test_temperature.py": "from temperature import to_celsius\n\nassert to_celsius(212) == 100\nprint('ok')\n",
}
MENDED = "def to_celsius(fahrenheit):\n    return (fahrenheit - 32) * 5 / 9\n"
TURNS: list[Any] = [
    ("I run the test first.", "shell", {"command": "python test_temperature.py"}),
    ("It is off by two degrees.", "read_file", {"path": "temperature.py"}),
    ("", "write_file", {"path": "temperature.py", "content": MENDED}),
    ("", "shell", {"command": "python test_temperature.py; printenv"}),
    ("The test passes now.", None, None),
]


class Model:
    """Says its turns, one for each request, as a stream of chunks."""

    def __init__(self, turns: list[Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text, name, arguments = turns[len(model.asked)]
                model.asked.append(body)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for chunk in chunks(text, name, arguments):
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


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


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model(TURNS)
    yield made
    made.close()


def events_of(url: str, task_id: str) -> list[dict[str, Any]]:
    text = httpx.get(f"{url}/tasks/{task_id}/events", timeout=60).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def submitted(url: str, **fields: Any) -> str:
    body = {
        "type": "agent",
        "model": "gpt-6.1-terra",
        "messages": [{"role": "user", "content": "Make the test pass."}],
        "tools": ["read_file", "write_file", "shell"],
        "workspace": {"files": BROKEN},
        **fields,
    }
    answer = httpx.post(f"{url}/tasks", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.timeout(120)
def test_an_agent_mends_a_failing_test_and_leaves_the_patch(tmp_path: Path, model: Model) -> None:
    with product(tmp_path, openai_base_url=model.url, openai_api_key="sk-the-key-of-the-test") as url:
        task_id = submitted(url)
        events = events_of(url, task_id)
        patch = httpx.get(f"{url}/tasks/{task_id}/diff").text
        packed = httpx.get(f"{url}/tasks/{task_id}/workspace").content
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "done", events[-1]
    ended = [event for event in events if event["type"] == "tool_end"]
    assert "AssertionError" in ended[0]["output"] and "EXIT CODE: 1" in ended[0]["output"]
    assert "ok" in ended[3]["output"]
    assert "-    return (fahrenheit - 30) * 5 / 9" in patch and "+    return (fahrenheit - 32) * 5 / 9" in patch
    assert b"temperature.py" in packed
    # The loop has the key, the tools do not.
    assert "sk-the-key" not in json.dumps(events)
    assert [tool["function"]["name"] for tool in model.asked[0]["tools"]] == ["read_file", "write_file", "shell"]


@pytest.mark.timeout(120)
def test_what_must_be_allowed_waits_also_for_its_files(tmp_path: Path, model: Model) -> None:
    with product(tmp_path, openai_base_url=model.url) as url:
        task_id = submitted(url, approvals="ask")
        decided, asked = 0, ""
        with httpx.stream("GET", f"{url}/tasks/{task_id}/events", timeout=60) as answer:
            for line in answer.iter_lines():
                event = json.loads(line[6:]) if line.startswith("data: ") else {}
                if event.get("status") == "waiting":
                    said = httpx.post(f"{url}/tasks/{task_id}/approvals/{asked}", json={"approved": True})
                    assert said.status_code == 200, said.text
                    decided += 1
                asked = event["approval_id"] if event.get("state") == "asked" else asked
        last = httpx.get(f"{url}/tasks/{task_id}").json()
    assert last["status"] == "succeeded", last
    assert decided == 3, "two commands and one file are allowed, and reading needs nobody"
