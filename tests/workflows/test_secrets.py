"""Secrets reach the steps that name them, and nobody else."""

import base64
import os

import pytest

from tests.workflows.conftest import World

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-Va/lue+with 'signs' & more"
OTHER = "an0ther-one"
SECRETS = {"TOKEN": SECRET, "OTHER": OTHER}


async def test_a_secret_reaches_only_the_step_that_names_it(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    steps:
      - run: '[ ${#T} -gt 10 ] && echo here'
        env: {T: "${{ secrets.TOKEN }}"}
      - run: printenv | sort; cat .holdfast/* /proc/*/environ 2>/dev/null | tr '\\0' '\\n'
      - run: printf '[%s]' "$T$TOKEN${{ secrets.ABSENT }}"
""",
        secrets=SECRETS,
    )
    assert task.failure is None
    assert task.out[0] == "here" and task.out[-1] == "[]"
    assert "***" not in "".join(task.out) and SECRET not in task.said


async def test_printenv_shows_nothing_of_the_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-server")
    monkeypatch.setenv("SERVER_ONLY", "1")
    task = await world.run("steps: [{run: printenv | cut -d= -f1 | sort}]", secrets=SECRETS)
    known = {"PATH", "HOME", "LANG", "USER", "LOGNAME", "PWD", "SHLVL", "_", "OLDPWD", "CI"}
    ours = ("GITHUB_", "RUNNER_", "OPENBLAS_", "OMP_", "JE_ARROW_")
    assert [name for name in task.out if name not in known and not name.startswith(ours)] == []
    assert not set(task.out) & (set(os.environ) - known) and "key-of-the-server" not in task.said


async def test_a_secret_is_hidden_in_every_sink(world: World) -> None:
    task = await world.run(
        """
jobs:
  a:
    outputs: {leak: "${{ steps.x.outputs.leak }}", fine: "${{ steps.x.outputs.fine }}"}
    steps:
      - uses: actions/checkout@v4
      - id: x
        name: name ${{ github.job }}
        env: {T: "${{ secrets.TOKEN }}"}
        run: |
          echo "$T"; echo "$T" >&2; printf %s "$T" | base64 -w0; echo
          for (( n=0; n<${#T}; n++ )); do printf %s "${T:$n:1}"; done; echo
          echo "# $T" >> $GITHUB_STEP_SUMMARY
          echo "leak=$T" >> $GITHUB_OUTPUT; echo fine=1 >> $GITHUB_OUTPUT
          echo "$T" > committed
      - run: 'exit 1'
        name: "${{ steps.x.outputs.leak }}"
      - run: "echo ${{ format('{0}', fromJSON(steps.x.outputs.leak)) }}"
        if: always()
  b:
    needs: a
    if: always()
    steps: [{run: "echo '[${{ needs.a.outputs.leak }}${{ needs.a.outputs.fine }}]'"}]
""",
        secrets=SECRETS,
        workspace={"files": {"a": "b"}},
    )
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert task.out[:3] == ["***", "***", "***"] and task.out[-1] == "[1]"
    kept = b"\n".join(data for name, data in task.files.items() if name != "workspace.tar").decode()
    for told in (task.said, kept):
        assert SECRET not in told and encoded[:16] not in told and "Va/lue" not in told
    assert "+***" in task.files["workspace.diff"].decode() and "# ***" in task.files["summary.md"].decode()


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (
            "{uses: actions/upload-artifact@v4, with: {path: f, name: '${{ steps.x.outputs.hex }}'}}",
            "name of an artifact",
        ),
        ("{uses: actions/cache@v4, with: {path: f, key: 'v1-${{ secrets.TOKEN }}'}}", "key of a cache"),
    ],
)
async def test_no_secret_becomes_the_name_of_what_is_kept(world: World, step: str, reason: str) -> None:
    made = """
jobs:
  a:
    steps:
      - id: x
        env: {T: "${{ secrets.TOKEN }}"}
        run: echo x > f; echo "hex=$(printf %s "$T" | od -An -tx1 | tr -d ' \\n')" >> $GITHUB_OUTPUT
      - STEP
"""
    task = await world.run(made.replace("STEP", step), secrets=SECRETS)
    assert task.failure is not None and f"The {reason} holds a secret" in task.failure.message
    assert task.files == {} and SECRET.encode().hex() not in task.said
