"""What one step can be told, and what it can say."""

import shutil

import pytest

from tests.conftest import lacks
from tests.workflows.conftest import Noted, World

pytestmark = pytest.mark.anyio


async def steps(world: World, text: str, **options: object) -> Noted:
    """The task of one job with these steps."""
    indented = "\n".join("      " + line for line in text.strip("\n").splitlines())
    return await world.run(f"jobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n{indented}\n", **options)  # type: ignore[arg-type]


async def test_run_has_pipes_redirections_variables_and_several_lines(world: World) -> None:
    task = await steps(
        world,
        """
- run: |
    printf 'b\\na\\n' > list; sort list | tr a-z A-Z && A=1
    echo "$A $(wc -l < list) `echo tick`"
""",
    )
    assert task.failure is None and task.out == ["A", "B", "1 2 tick"]


async def test_a_step_ends_at_its_first_failing_command(world: World) -> None:
    task = await steps(world, "- run: |\n    false\n    echo never")
    assert task.out == [] and task.failure is not None


async def test_env_has_three_levels_and_the_nearest_wins(world: World) -> None:
    task = await world.run(
        """
env: {A: workflow, B: workflow, C: workflow}
jobs:
  build:
    env: {B: job, C: job, D: "${{ matrix.n }}"}
    strategy: {matrix: {n: [7]}}
    steps:
      - run: echo "$A $B $C $D"
        env: {C: step}
      - run: echo "$C ${{ env.A }} ${{ env.C }}"
"""
    )
    assert task.out == ["workflow job step 7", "job workflow job"]


async def test_env_takes_numbers_and_truths_as_text(world: World) -> None:
    task = await steps(world, '- run: echo "$A $B [$C]"\n  env: {A: 1, B: true, C: null}')
    assert task.out == ["1 true []"]


async def test_a_step_of_the_type_env_sets_variables_for_those_after_it(world: World) -> None:
    task = await world.run({"steps": [{"type": "env", "env": {"A": "1"}}, {"run": "echo $A"}]})
    assert task.out == ["1"] and "Set A." in task.logs("info")


async def test_a_step_of_the_type_checkout_places_the_workspace(world: World) -> None:
    document = {"steps": [{"run": "rm a"}, {"type": "checkout"}, {"run": "cat a"}]}
    task = await world.run(document, workspace={"files": {"a": "here"}})
    assert task.out == ["here"]


async def test_name_is_shown_and_may_hold_expressions(world: World) -> None:
    task = await steps(world, "- name: Say ${{ 1 == 1 }}\n  run: echo\n- run: |\n    echo one\n    echo two")
    assert [name for name, _ in task.steps] == ["Say true", "Run echo one"]


async def test_id_makes_outputs_outcome_and_conclusion_known(world: World) -> None:
    task = await steps(
        world,
        """
- id: one
  run: |
    echo "a=1" >> "$GITHUB_OUTPUT"
    printf 'text<<END\\nline 1\\nline=2\\nEND\\n' >> $GITHUB_OUTPUT
- id: two
  run: exit 1
  continue-on-error: true
- run: |
    echo '${{ steps.one.outputs.a }} ${{ steps.one.outputs.text }}'
    echo '${{ steps.two.outcome }} ${{ steps.two.conclusion }} ${{ job.status }}'
""",
    )
    assert task.failure is None and task.out == ["1 line 1", "line=2", "failure success success"]


async def test_continue_on_error_may_be_an_expression(world: World) -> None:
    task = await steps(world, "- run: exit 1\n  continue-on-error: ${{ 'x' != 'y' }}\n- run: echo on")
    assert task.failure is None and task.out == ["on"]


async def test_if_chooses_steps_and_status_functions_see_what_happened(world: World) -> None:
    task = await steps(
        world,
        """
- run: echo 1
  if: ${{ github.event_name == 'workflow_dispatch' }}
- run: echo 2
  if: runner.os == 'Windows'
- run: exit 1
- run: echo 3
- run: echo 4
  if: failure()
- run: echo 5
  if: always() && job.status == 'failure'
- run: echo 6
  if: success() || cancelled()
- run: echo 7
  if: ${{ !cancelled() }}
- run: echo 8
  if: "true"
""",
    )
    assert task.out == ["1", "4", "5", "7"]
    assert [state for _, state in task.steps] == [
        *("success", "skipped", "failure", "skipped", "success"),
        *("success", "skipped", "success", "skipped"),
    ]


async def test_github_env_sets_variables_for_later_steps(world: World) -> None:
    task = await steps(
        world,
        """
- run: |
    echo "A=one=1" >> $GITHUB_ENV
    { echo 'B<<EOF'; echo x; echo y; echo EOF; } >> $GITHUB_ENV
    echo "now [$A]"
- run: echo "$A $B ${{ env.A }}"
""",
    )
    assert task.out == ["now []", "one=1 x", "y one=1"]


async def test_github_path_puts_directories_before_the_others(world: World) -> None:
    task = await steps(
        world,
        """
- run: |
    mkdir -p one two
    printf '#!/bin/sh\\necho one' > one/tool; printf '#!/bin/sh\\necho two' > two/tool; chmod +x */tool
    echo "$PWD/one" >> $GITHUB_PATH
    echo "$PWD/two" >> $GITHUB_PATH
- run: tool
""",
    )
    assert task.out == ["two"]


async def test_github_step_summary_is_kept(world: World) -> None:
    task = await steps(
        world, "- run: 'echo \"# One\" >> $GITHUB_STEP_SUMMARY'\n- run: echo Two >> $GITHUB_STEP_SUMMARY"
    )
    assert task.files["summary.md"].decode().split() == ["#", "One", "Two"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no sign", "neither name=value nor name<<WORD"),
        ("a b=1", "no name"),
        ("A<<", "without a word"),
        ("A<<EOF", "never ended"),
        ("GITHUB_TOKEN=1", "which no step may set"),
        ("HOLDFAST_X=1", "which no step may set"),
    ],
)
async def test_a_malformed_file_of_a_step_fails_it_with_the_reason(world: World, line: str, reason: str) -> None:
    task = await steps(world, f"- run: echo '{line}' >> $GITHUB_ENV")
    assert task.failure is not None and reason in task.failure.message


async def test_working_directory_is_of_the_step_the_job_or_the_workflow(world: World) -> None:
    task = await world.run(
        """
defaults: {run: {working-directory: one}}
jobs:
  build:
    defaults: {run: {working-directory: two}}
    steps:
      - {run: mkdir -p one two three, working-directory: .}
      - run: pwd
      - {run: pwd, working-directory: three}
  other:
    steps:
      - {run: mkdir one, working-directory: /workspace}
      - run: pwd
"""
    )
    assert sorted(task.out) == ["/workspace/one", "/workspace/three", "/workspace/two"]


async def test_shell_bash_fails_with_any_part_of_a_pipe(world: World) -> None:
    text = "- {run: 'false | true', continue-on-error: true, id: a%s}\n- run: echo ${{ steps.a.outcome }}"
    assert (await steps(world, text % "")).out == ["success"]
    assert (await steps(world, text % ", shell: bash")).out == ["failure"]


async def test_shell_may_be_sh_python_node_or_any_command(world: World) -> None:
    task = await steps(
        world,
        """
- {shell: sh, run: 'echo $0 | grep -c step'}
- {shell: python, run: 'import sys; print(sys.version_info.major)'}
- {shell: 'cat {0}', run: 'the script itself'}
""",
    )
    assert task.failure is None and task.out == ["1", "3", "the script itself"]


NODE = "console.log(`node ${1 + 1}`)"


async def test_shell_node_runs_a_script_of_node(world: World) -> None:
    if shutil.which("node") is None:
        lacks("languages", "node is not installed on this host")
    task = await steps(world, f"- {{shell: node, run: '{NODE}'}}")
    assert task.failure is None and task.out == ["node 2"]


@pytest.mark.parametrize("program", ["bash", "ls", "sort", "sed", "git", "grep", "python3", "python", "node", "npm"])
async def test_a_step_finds_the_programs_that_this_host_has(world: World, program: str) -> None:
    if shutil.which(program) is None and program != "python":
        lacks("languages", f"{program} is not installed on this host")
    task = await steps(world, f"- run: {program} --version > /dev/null && echo there")
    assert task.failure is None and task.out == ["there"], task.said


async def test_shell_of_defaults_is_used(world: World) -> None:
    task = await world.run(
        "defaults: {run: {shell: python}}\njobs: {a: {steps: [{run: print(1)}]}, "
        "b: {defaults: {run: {shell: bash}}, steps: [{run: echo 2}]}}"
    )
    assert sorted(task.out) == ["1", "2"]


async def test_timeout_minutes_ends_a_step_and_all_it_started(world: World) -> None:
    task = await steps(
        world,
        """
- run: (sleep 100; echo late > late) & sleep 100
  timeout-minutes: 0.01
- run: ls; ps aux | grep -c '[s]leep' || true
  if: always()
""",
    )
    assert task.failure is not None and "ended after 0.6 seconds" in task.failure.message
    assert task.out == ["0"]


async def test_output_is_told_while_the_step_runs(world: World) -> None:
    task = await steps(world, "- run: echo out; echo err >&2; printf 'no end'")
    assert (task.out, task.logs("stderr")) == (["out", "no end"], ["err"])
    kinds = [event.type for event in task.events]
    assert kinds[0] == "step_start" and kinds[-1] == "step_end" and set(kinds[1:-1]) == {"log"}


async def test_output_beyond_the_limit_is_dropped_and_a_flood_is_ended(world: World) -> None:
    task = await steps(world, "- run: head -c 6000000 /dev/zero | tr '\\0' x\n- run: yes")
    assert any("was dropped" in line for line in task.logs("warning"))
    assert task.failure is not None and "far more output than is kept" in task.failure.message


async def test_hash_files_sums_up_what_fits(world: World) -> None:
    task = await steps(
        world,
        """
- run: mkdir d && echo 1 > d/a.lock && echo 2 > b.lock
- run: |
    echo "${{ hashFiles('**/*.lock') }} ${{ hashFiles('b.lock') == hashFiles('**/*.lock') }} [${{ hashFiles('no') }}]"
- run: echo yes
  if: hashFiles('d/**') != ''
""",
    )
    first, second = task.out
    assert len(first.split()[0]) == 64 and first.endswith("false []") and second == "yes"


async def test_contexts_say_where_a_step_is(world: World) -> None:
    task = await steps(
        world,
        "- run: echo '${{ github.job }} ${{ github.workspace }} ${{ runner.os }} ${{ inputs.who }} ${{ inputs.many }}'",
        inputs={"who": "me"},
        on={"workflow_dispatch": {"inputs": {"who": {"default": "you"}, "many": {"default": 3}}}},
    )
    assert task.out == ["build /workspace Linux me 3"]


async def test_an_expression_that_fails_fails_its_step_alone(world: World) -> None:
    task = await steps(world, "- run: echo ${{ fromJSON('{') }}\n- run: echo on\n  if: always()")
    assert [state for _, state in task.steps] == ["error", "success"]
    assert task.failure is not None and "what is no JSON" in task.failure.message


async def test_what_a_step_leaves_running_ends_with_it(world: World) -> None:
    task = await steps(world, "- run: sleep 300 & echo started\n- run: ps aux | grep -c '[s]leep 300' || true")
    assert task.out == ["started", "0"]
