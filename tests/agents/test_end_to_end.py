"""An agent on the product: servers that speak as providers do, tools in a real sandbox, events over HTTP."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.product import product
from tests.tasks.conftest import Receiver
from tests.tasks.test_delivery import numbers
from tests.tasks.test_runner import until

Speak = Callable[[str, str | None, Any], Iterator[bytes]]
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


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model(TURNS, as_openai, "/v1/chat/completions")
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def claude() -> Iterator[Model]:
    made = Model(TURNS, as_anthropic, "/v1/messages")
    yield made
    made.close()


def events_of(url: str, task_id: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    text = httpx.get(f"{url}/tasks/{task_id}/events", timeout=60, headers=headers).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def submitted(url: str, headers: dict[str, str] | None = None, **fields: Any) -> str:
    body = {
        "type": "agent",
        "model": "gpt-6.1-terra",
        "messages": [{"role": "user", "content": "Make the test pass."}],
        "tools": ["read_file", "write_file", "shell"],
        "workspace": {"files": BROKEN},
        **fields,
    }
    answer = httpx.post(f"{url}/tasks", json=body, headers=headers, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def check(events: list[dict[str, Any]], patch: str, packed: bytes) -> None:
    """The test failed, was mended, and passes."""
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "done", events[-1]
    ended = [event for event in events if event["type"] == "tool_end"]
    assert "AssertionError" in ended[0]["output"] and "EXIT CODE: 1" in ended[0]["output"]
    assert "ok" in ended[3]["output"]
    assert "-    return (fahrenheit - 30) * 5 / 9" in patch and "+    return (fahrenheit - 32) * 5 / 9" in patch
    assert b"temperature.py" in packed


@pytest.mark.timeout(120)
def test_an_agent_mends_a_failing_test_and_leaves_the_patch(tmp_path: Path, model: Model, receiver: Receiver) -> None:
    settings = {"openai_base_url": f"{model.url}/v1", "openai_api_key": "sk-the-key-of-the-test"}
    with product(tmp_path, **settings, allow_private_callbacks="true") as url:
        task_id = submitted(url, callback_url=receiver.url)
        events = events_of(url, task_id)
        until(lambda: "done" in receiver.types)
        patch = httpx.get(f"{url}/tasks/{task_id}/diff").text
        packed = httpx.get(f"{url}/tasks/{task_id}/workspace").content
    check(events, patch, packed)
    # The sandbox has no network, and the server has told of all that happened in it.
    assert numbers(receiver.accepted) == [event["seq"] for event in events]
    # The loop has the key, the tools do not.
    assert "sk-the-key" not in json.dumps(events)
    assert [tool["function"]["name"] for tool in model.asked[0]["tools"]] == ["read_file", "write_file", "shell"]


@pytest.mark.timeout(120)
def test_an_agent_speaks_as_anthropic_does_and_does_the_same(tmp_path: Path, claude: Model) -> None:
    with product(tmp_path, anthropic_base_url=claude.url, anthropic_api_key="sk-ant-the-key-of-the-test") as url:
        task_id = submitted(url, model="claude-sonnet-5-5", system_prompt="Be brief.")
        events = events_of(url, task_id)
        patch = httpx.get(f"{url}/tasks/{task_id}/diff").text
        packed = httpx.get(f"{url}/tasks/{task_id}/workspace").content
    check(events, patch, packed)
    said = "".join(event["text"] for event in events if event["type"] == "token")
    assert said.split() == " ".join(text for text, _, _ in TURNS if text).split()
    assert {headers["authorization"] for headers in claude.headers} == {"Bearer sk-ant-the-key-of-the-test"}
    assert "sk-ant-the-key" not in json.dumps([events, claude.asked])
    assert [tool["name"] for tool in claude.asked[0]["tools"]] == ["read_file", "write_file", "shell"]
    # What a tool came to goes back as the answer to its call, and the system prompt beside what was said.
    answered = claude.asked[1]["messages"][-1]["content"][-1]
    assert (answered["type"], answered["tool_use_id"]) == ("tool_result", "toolu_1")
    assert "AssertionError" in json.dumps(answered["content"])
    assert "Be brief." in json.dumps(claude.asked[0]["system"]) and claude.asked[0]["stream"] is True


def key_of(folder: Path, name: str) -> dict[str, str]:
    """The headers of somebody who has a key of the server with its state there."""
    command = [sys.executable, "-m", "holdfast.cli", "keys", "add", name, "--scope", "run"]
    environ = {**os.environ, "HOLDFAST_STATE_DIR": str(folder)}
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=True)
    return {"X-API-Key": done.stdout.split()[-1]}


ASKS = {"dataset_id": "numbers", "sql": "SELECT sum(n) AS total FROM numbers"}


@pytest.mark.timeout(120)
def test_an_agent_asks_the_datasets_of_who_has_asked_for_it_and_no_others(tmp_path: Path) -> None:
    turns: list[Any] = [("", "query_dataset", ASKS), ("Done.", None, None)]
    model = Model([*turns, *turns], as_openai, "/v1/chat/completions")
    callers = [key_of(tmp_path, name) for name in ("mine", "another")]
    outputs = []
    try:
        with product(tmp_path, openai_base_url=f"{model.url}/v1") as url:
            dataset = {"name": "numbers", "files": {"numbers.csv": "n\n40\n2\n"}}
            made = httpx.post(f"{url}/datasets", json=dataset, headers=callers[0], timeout=60)
            assert made.status_code == 201, made.text
            for headers in callers:
                task_id = submitted(url, headers, tools=["query_dataset"], workspace=None)
                outputs += [each for each in events_of(url, task_id, headers) if each["type"] == "tool_end"]
    finally:
        model.close()
    assert [each["tool_state"] for each in outputs] == ["success", "error"]
    assert outputs[0]["output"] == "total\n42"
    assert "There is no dataset 'numbers'" in outputs[1]["output"]


@pytest.mark.timeout(120)
def test_what_must_be_allowed_waits_also_for_its_files(tmp_path: Path, model: Model) -> None:
    with product(tmp_path, openai_base_url=f"{model.url}/v1") as url:
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
