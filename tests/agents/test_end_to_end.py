"""An agent on the product: servers that speak as providers do, tools in a real sandbox, events over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agents.speaking import TURNS, Model, as_openai
from tests.product import product
from tests.tasks.conftest import Receiver
from tests.tasks.test_delivery import numbers
from tests.tasks.test_runner import until

BROKEN = {
    "temperature.py": "def to_celsius(fahrenheit):\n    return (fahrenheit - 30) * 5 / 9\n",
    "test_temperature.py": "from temperature import to_celsius\n\nassert to_celsius(212) == 100\nprint('ok')\n",
}


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
