"""Workflows do what they say."""

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


async def test_steps_stop_at_the_first_failure_and_the_task_has_failed(world: World) -> None:
    task = await world.run({"steps": [{"run": "exit 3"}, {"run": "echo never"}, {"run": "echo x", "if": "failure()"}]})
    assert [state for _, state in task.steps] == ["failure", "skipped", "success"]
    assert task.failure is not None and "exit code 3" in task.failure.message
    assert task.out == ["x"]
