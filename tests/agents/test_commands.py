"""Tasks as a newcomer tries them: the commands, the examples, and runners of their own, on the product."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.settings import load_settings
from tests.agents.speaking import Model
from tests.product import product
from tests.tasks.conftest import Receiver
from tests.tasks.test_runner import until

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guide"
KEY = "sk-ant-the-key-of-the-test"
pytestmark = pytest.mark.timeout(120)


def holdfast(*words: str, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "holdfast.cli", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def said(*words: str, **options: Any) -> tuple[int, list[str], str]:
    """The exit code, the lines on stdout, and stderr."""
    with holdfast(*words, **options) as process:
        out, err = process.communicate(timeout=90)
    return process.returncode, out.splitlines(), err


def processes_with(words: str) -> list[str]:
    """Processes of this host with these words in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            found += [line] if words in line else []
    return found


def test_the_example_of_workflows_prints_what_the_guide_shows(tmp_path: Path) -> None:
    with product(tmp_path) as url:
        code, out, err = said("task", "run", str(ROOT / "examples/workflow.yaml"), "--server", url)
    assert code == 0, err
    assert sorted(line for line in out if not line.startswith(("Kept", "Placed"))) == [
        *("Hello from Count words", "fox 1 of 9", "the 2 of 9"),
    ]
    guide = (GUIDES / "workflows.md").read_text()
    told = [line for line in [*out, *err.splitlines()] if not line.startswith("task task-")]
    assert [line for line in told if line not in guide] == [] and err.rstrip().endswith("done")


def test_the_example_of_agents_mends_the_test_as_the_guide_shows(tmp_path: Path, claude: Model) -> None:
    with product(tmp_path, anthropic_base_url=claude.url, anthropic_api_key=KEY) as url:
        code, out, err = said("task", "run", str(ROOT / "examples/agent.yaml"), "--server", url)
        task_id = err.splitlines()[0].removeprefix("task ")
        patch = httpx.get(f"{url}/tasks/{task_id}/diff").text
    assert code == 0, err
    guide = (GUIDES / "agents.md").read_text()
    assert [line for line in out if line.strip() not in guide] == []
    assert "The test passes now." in "".join(out) and err.rstrip().endswith("done")
    assert "+    return (fahrenheit - 32) * 5 / 9" in patch
    assert KEY not in "".join(out) + err


def test_the_scripted_model_of_the_examples_mends_the_test_as_the_guide_shows(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples/scripted_model.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as model:
        try:
            assert model.stdout is not None
            address = model.stdout.readline().strip().partition("=")[2]
            with product(tmp_path, anthropic_base_url=address) as url:
                for _ in range(2):
                    code, out, err = said("task", "run", str(ROOT / "examples/agent.yaml"), "--server", url)
                    assert code == 0, err
        finally:
            model.kill()
    guide = (GUIDES / "agents.md").read_text()
    told = [line for line in [*out, *err.splitlines()] if not line.startswith("task task-")]
    assert [line for line in told if line not in guide] == [] and err.rstrip().endswith("done")


def test_a_folder_is_copied_into_the_workspace_and_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.txt").write_text("one\n")
    task = {"steps": [{"run": "cat src/a.txt; echo two > src/a.txt; echo $T", "env": {"T": "${{ secrets.TOKEN }}"}}]}
    (tmp_path / "task.json").write_text(json.dumps(task))
    words = ("task", "run", str(tmp_path / "task.json"), "--workspace", str(folder), "--secret", "TOKEN=xyzzy-1234")
    state = tmp_path / "state"
    state.mkdir()
    with product(state) as url:
        code, out, err = said(*words, "--server", url)
        task_id = err.splitlines()[0].removeprefix("task ")
        assert "-one\n+two" in httpx.get(f"{url}/tasks/{task_id}/diff").text
        (tmp_path / "task.json").write_text(json.dumps({"steps": [{"run": "exit 3"}]}))
        failed, _, why = said("task", "run", str(tmp_path / "task.json"), "--server", url)
    assert (code, out) == (0, ["one", "***"]), err
    assert (folder / "src" / "a.txt").read_text() == "one\n"
    assert failed == 1 and "exit code 3" in why


def test_output_is_there_at_once_others_may_watch_and_an_interrupt_ends_all_it_started(tmp_path: Path) -> None:
    seconds = "86143"
    steps = [{"run": f"setsid sleep {seconds} & sleep {seconds} & echo begun; sleep {seconds}"}]
    (tmp_path / "task.yaml").write_text(json.dumps({"steps": steps}))
    with product(tmp_path) as url:
        with holdfast("task", "run", str(tmp_path / "task.yaml"), "--server", url) as process:
            assert process.stdout is not None and process.stderr is not None
            task_id = process.stderr.readline().strip().removeprefix("task ")
            assert process.stdout.readline() == "begun\n"
            assert len(until(lambda: processes_with(f"sleep {seconds}"))) >= 3
            with holdfast("task", "watch", task_id, "--server", url) as watching:
                assert watching.stdout is not None
                assert watching.stdout.readline() == "begun\n"
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 1 and watching.wait(30) == 1
        until(lambda: not processes_with(f"sleep {seconds}"))
        again, out, err = said("task", "watch", task_id, "--server", url)
    assert (again, out) == (1, ["begun"]) and "cancelled" in err


def runs(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a runner that is started as the guide says."""
    usual = load_settings()
    places = {"STATE_DIR": folder, "GUEST_ENV": usual.guest_environment, "LANGUAGES_DIR": usual.toolchains}
    return {
        "PATH": os.environ["PATH"],
        **{f"HOLDFAST_{name}": str(place) for name, place in places.items()},
        **variables,
    }


def test_a_runner_does_an_agent_with_the_key_of_its_environment_and_tells_of_it(
    tmp_path: Path, claude: Model, receiver: Receiver
) -> None:
    import yaml

    task = json.dumps(yaml.safe_load((ROOT / "examples/agent.yaml").read_text()))
    environ = runs(
        tmp_path, MODE="active", TASK_ID="t-1", CALLBACK_URL=receiver.url, REQUEST_ID="req-9", TASK_CONFIG=task
    )
    environ |= {"ANTHROPIC_API_KEY": KEY, "HOLDFAST_ANTHROPIC_BASE_URL": claude.url, "LOG_LEVEL": "INFO"}
    code, _, err = said("runner", "task", env=environ, cwd=tmp_path)
    assert code == 0, err
    assert receiver.types[-1] == "done" and receiver.types.count("tool_end") == 4
    outputs = [body["output"] for body in receiver.accepted if body["type"] == "tool_end"]
    assert "AssertionError" in outputs[0] and "ok" in outputs[3]
    assert {headers["authorization"] for headers in claude.headers} == {f"Bearer {KEY}"}
    assert KEY not in "".join(outputs) + err and KEY.encode() not in b"".join(receiver.raw)
    for line in err.splitlines():
        assert {"task_id": "t-1", "request_id": "req-9"}.items() <= json.loads(line).items()


def test_a_runner_needs_no_key_for_a_workflow(tmp_path: Path, receiver: Receiver) -> None:
    environ = runs(tmp_path, TASK_ID="t-2", CALLBACK_URL=receiver.url)
    task = {
        "type": "workflow",
        "steps": [{"type": "run", "run": "echo one | tr a-z A-Z && printenv"}, {"run": "exit 4"}],
    }
    command = [sys.executable, "-m", "holdfast.runner"]
    done = subprocess.run(command, input=json.dumps(task), env=environ, cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 1, done.stderr
    lines = [body["message"] for body in receiver.accepted if body["type"] == "log"]
    assert lines[0] == "ONE" and not any(line.startswith(("CALLBACK_URL", "TASK_ID", "HOLDFAST")) for line in lines)
    assert receiver.types[-1] == "error" and receiver.accepted[-1]["code"] == "workflow_failed"
