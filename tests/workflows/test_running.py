"""Workflows do what they say."""

import io
import tarfile

import pytest

from tests.workflows.conftest import World

pytestmark = pytest.mark.anyio


async def test_a_plain_list_of_steps_runs_in_a_real_shell_in_the_workspace(world: World) -> None:
    task = await world.run(
        {
            "steps": [
                {"type": "run", "name": "count", "run": "cat a.txt | wc -l; echo ${X:-none} > b && cat b"},
                {"type": "env", "env": {"X": "set"}},
                {"run": "echo $X", "env": {"Y": "own"}},
                {"run": "echo [$Y]"},
                {"type": "checkout"},
            ]
        },
        workspace={"files": {"a.txt": "1\n2\n"}},
    )
    assert task.failure is None, task.said
    assert task.out == ["2", "none", "set", "[]"]
    assert task.steps[0] == ("count", "success") and [state for _, state in task.steps] == ["success"] * 5
    assert b"+none" in task.files["workspace.diff"] and len(task.files["workspace.tar"]) > 0


async def test_a_patch_has_what_was_written_and_not_what_git_or_nobody_would_keep(world: World) -> None:
    made = """
echo new > new.txt; echo more >> kept.txt; echo x > debug.log; mkdir -p out && echo x > out/built
mkdir -p src/__pycache__ node_modules/m .venv/bin .git/objects && touch src/__pycache__/a.cpython-311.pyc b.pyc
echo x > node_modules/m/index.js; echo x > .venv/bin/python; echo x > .git/objects/x; echo x > src/__pycache__/note
"""
    files = {"kept.txt": "1\n", ".gitignore": "*.log\nout/\n", "old.log": "1\n"}
    task = await world.run(
        {"steps": [{"type": "checkout"}, {"run": made}, {"run": "echo 2 > old.log"}]}, workspace={"files": files}
    )
    assert task.failure is None, task.said
    patch = task.files["workspace.diff"].decode()
    assert [line.split(" b/")[1] for line in patch.splitlines() if line.startswith("diff --git")] == [
        "kept.txt",
        "new.txt",
    ]
    with tarfile.open(fileobj=io.BytesIO(task.files["workspace.tar"])) as tar:
        names = tar.getnames()
    assert {"node_modules/m/index.js", "debug.log", "b.pyc"} <= {*names}, "the workspace itself is as it was left"


async def test_steps_stop_at_the_first_failure_and_the_task_has_failed(world: World) -> None:
    task = await world.run({"steps": [{"run": "exit 3"}, {"run": "echo never"}, {"run": "echo x", "if": "failure()"}]})
    assert [state for _, state in task.steps] == ["failure", "skipped", "success"]
    assert task.failure is not None and "exit code 3" in task.failure.message
    assert task.out == ["x"]
