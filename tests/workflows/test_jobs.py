"""Jobs wait for each other, come in matrices, and hand things on."""

import pytest

from holdfast.agents.workflow.contexts import WorkflowBounds
from holdfast.agents.workflow.handler import WorkflowHandler
from holdfast.types import StepStartEvent
from tests.workflows.conftest import Noted, World

pytestmark = pytest.mark.anyio


def jobs_of(task: Noted) -> list[str | None]:
    """In which order jobs began."""
    return [event.job for event in task.events if isinstance(event, StepStartEvent)]


async def test_needs_orders_jobs_and_hands_on_results_and_outputs(world: World) -> None:
    task = await world.run(
        """
jobs:
  last:
    needs: [first, second]
    steps: [{run: "echo '${{ needs.first.outputs.v }} ${{ needs.second.result }} ${{ join(needs.*.result) }}'"}]
  second: {needs: first, steps: [{run: echo second}]}
  first:
    outputs: {v: "v${{ steps.a.outputs.v }}"}
    steps: [{id: a, run: echo v=2 >> $GITHUB_OUTPUT}]
"""
    )
    assert jobs_of(task) == ["first", "second", "last"]
    assert task.out == ["second", "v2 success success,success"]


async def test_a_job_whose_needs_failed_is_skipped_unless_it_says_otherwise(world: World) -> None:
    task = await world.run(
        """
jobs:
  bad: {steps: [{run: exit 1}]}
  skipped: {needs: bad, steps: [{run: echo no}]}
  after: {needs: skipped, steps: [{run: echo no}]}
  told: {needs: after, if: failure(), steps: [{run: echo failure}]}
  always:
    needs: [bad, skipped]
    if: always()
    steps: [{run: "echo ${{ needs.bad.result }} ${{ needs.skipped.result }}"}]
  plain: {needs: bad, if: "true", steps: [{run: echo no}]}
"""
    )
    assert sorted(task.out) == ["failure", "failure skipped"]
    assert task.failure is not None and task.failure.message.startswith("The job 'bad' failed at step 'Run exit 1'")


async def test_if_of_a_job_may_ask_for_outputs(world: World) -> None:
    task = await world.run(
        """
jobs:
  a: {outputs: {go: "${{ steps.x.outputs.go }}"}, steps: [{id: x, run: echo go=yes >> $GITHUB_OUTPUT}]}
  b: {needs: a, if: needs.a.outputs.go == 'yes', steps: [{run: echo b}]}
  c: {needs: a, if: needs.a.outputs.go == 'no', steps: [{run: echo c}]}
"""
    )
    assert task.failure is None and task.out == ["b"]


async def test_matrix_makes_every_combination_less_exclude_with_include(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    strategy:
      matrix:
        os: [linux, bsd]
        n: [1, 2]
        exclude: [{os: bsd, n: 1}]
        include: [{os: linux, n: 2, extra: yes}, {os: hurd}]
    steps: [{run: "echo ${{ matrix.os }} ${{ matrix.n }} ${{ matrix.extra }} ${{ strategy.job-total }}"}]
"""
    )
    assert sorted(line.split() for line in task.out) == [
        ["bsd", "2", "4"],
        ["hurd", "4"],
        ["linux", "1", "4"],
        ["linux", "2", "yes", "4"],
    ]
    assert "a (linux, 1)" in jobs_of(task)


async def test_matrix_may_come_from_an_earlier_job(world: World) -> None:
    task = await world.run(
        """
jobs:
  a: {outputs: {m: "${{ steps.x.outputs.m }}"}, steps: [{id: x, run: "echo 'm={\\"n\\": [1, 2]}' >> $GITHUB_OUTPUT"}]}
  b:
    needs: a
    strategy: {matrix: "${{ fromJSON(needs.a.outputs.m) }}"}
    steps: [{run: "echo ${{ matrix.n }}"}]
  c:
    needs: a
    strategy: {matrix: {n: "${{ fromJSON(needs.a.outputs.m).n }}"}}
    steps: [{run: "echo ${{ matrix.n }}"}]
"""
    )
    assert sorted(task.out) == ["1", "1", "2", "2"]


async def test_fail_fast_ends_the_others_of_a_matrix(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    strategy: {matrix: {n: [1, 2, 3]}}
    steps:
      - run: if [ ${{ matrix.n }} = 1 ]; then exit 1; else sleep 100; fi
      - {run: echo cleaned, if: cancelled()}
  b: {needs: a, if: always(), steps: [{run: "echo ${{ needs.a.result }}"}]}
"""
    )
    assert task.out == ["cleaned", "failure"]
    assert "cancelled" in [state for _, state in task.steps]


async def test_without_fail_fast_all_of_a_matrix_run(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    strategy: {fail-fast: false, max-parallel: 1, matrix: {n: [1, 2, 3]}}
    steps: [{run: "echo ${{ matrix.n }}; exit $((${{ matrix.n }} == 1))"}]
"""
    )
    assert task.out == ["1", "2", "3"] and task.failure is not None


async def test_max_parallel_bounds_a_matrix(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    strategy: {max-parallel: 1, matrix: {n: [1, 2]}}
    steps: [{run: echo}, {run: echo}]
"""
    )
    assert jobs_of(task) == ["a (1)", "a (1)", "a (2)", "a (2)"]


async def test_continue_on_error_of_a_job_forgives_it(world: World) -> None:
    task = await world.run(
        """
jobs:
  a: {continue-on-error: true, steps: [{run: exit 1}]}
  b: {needs: a, steps: [{run: "echo ${{ needs.a.result }}"}]}
"""
    )
    assert task.failure is None and task.out == ["success"]


async def test_timeout_minutes_of_a_job_ends_it(world: World) -> None:
    task = await world.run(
        "jobs: {a: {timeout-minutes: 0.02, steps: [{run: sleep 100}, {run: echo no, if: always()}]}}"
    )
    assert task.failure is not None and task.out == []


async def test_the_operator_says_how_long_a_step_may_take(world: World) -> None:
    world.handler = WorkflowHandler(world.executor, WorkflowBounds(step_seconds=0.5))
    task = await world.run("steps: [{run: sleep 100, timeout-minutes: 5}]")
    assert task.failure is not None and "ended after 0.5 seconds" in task.failure.message


async def test_name_of_a_job_is_shown(world: World) -> None:
    task = await world.run(
        "jobs: {a: {name: 'Test ${{ matrix.n }}', strategy: {matrix: {n: [5]}}, steps: [{run: echo}]}}"
    )
    assert jobs_of(task) == ["Test 5"]


async def test_runs_on_is_linux_whatever_it_says(world: World) -> None:
    task = await world.run("jobs: {a: {runs-on: [self-hosted, linux], steps: [{run: uname}]}}")
    assert task.out == ["Linux"]
    task = await world.run(
        "jobs: {a: {runs-on: '${{ matrix.os }}', strategy: {matrix: {os: [windows-latest]}}, steps: [{run: echo}]}}"
    )
    assert task.failure is not None and "every job runs on Linux" in task.failure.message


async def test_every_job_has_a_sandbox_of_its_own(world: World) -> None:
    task = await world.run("jobs: {a: {steps: [{run: touch x}]}, b: {needs: a, steps: [{run: ls | wc -l}]}}")
    assert task.out == ["0"]


async def test_outputs_of_a_matrix_are_joined(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    strategy: {matrix: {n: [1, 2]}}
    outputs: {one: "${{ steps.x.outputs.v1 }}", two: "${{ steps.x.outputs.v2 }}"}
    steps: [{id: x, run: "echo v${{ matrix.n }}=${{ matrix.n }} >> $GITHUB_OUTPUT"}]
  b: {needs: a, steps: [{run: "echo ${{ needs.a.outputs.one }}${{ needs.a.outputs.two }}"}]}
"""
    )
    assert task.out == ["12"]


async def test_what_only_describes_is_taken_and_means_nothing(world: World) -> None:
    task = await world.run(
        "name: CI\nrun-name: by me\non: [push]\npermissions: read-all\n"
        "jobs: {a: {permissions: {contents: read}, steps: [{run: 'echo $GITHUB_WORKFLOW'}]}}"
    )
    assert task.out == ["CI"]


@pytest.mark.parametrize("made", ["'many'", "0", "-1"])
async def test_max_parallel_that_is_made_of_an_expression_must_be_a_number(world: World, made: str) -> None:
    task = await world.run(f"""
jobs:
  a:
    strategy: {{max-parallel: "${{{{ {made} }}}}", matrix: {{n: [1, 2]}}}}
    steps: [{{run: echo}}]
""")
    assert task.failure is not None and "'max-parallel' must be a number, 1 or more" in task.failure.message
