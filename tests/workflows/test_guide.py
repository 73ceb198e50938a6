"""The guide lists every construct, and what it says of each is so."""

import ast
import re
from pathlib import Path

import pytest

from holdfast.agents.workflow.checking import check_workflow
from holdfast.agents.workflow.document import load_document, read_workflow
from holdfast.types import workflow_keys
from tests.workflows.conftest import World

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guide/workflows.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| (supported|refused) \| (.+) \|$", GUIDE, re.M)
KNOWN = {name.strip("`"): (state, shown) for name, state, shown in ROWS}


def test_every_key_is_listed_as_it_is() -> None:
    for key, reason in workflow_keys().items():
        state, shown = KNOWN[key]
        assert (state, shown) == ("refused", reason) if reason else state == "supported", key


def test_every_supported_row_names_a_test() -> None:
    for name, state, shown in ROWS:
        if state == "supported":
            path, test = shown.strip("`").split("::")
            tree = ast.parse((ROOT / path).read_text())
            assert test in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}, (
                name
            )


def test_every_message_of_a_refused_row_is_in_the_code() -> None:
    source = "".join(
        (ROOT / path).read_text()
        for path in (
            "src/holdfast/types/workflow.py",
            "src/holdfast/agents/workflow/shells.py",
            "src/holdfast/agents/workflow/checking.py",
            "src/holdfast/agents/workflow/expressions/evaluating.py",
        )
    )
    for name, state, shown in ROWS:
        if state == "refused" and name.strip("`") not in workflow_keys():
            words = shown.split("; there are ")[0].replace("'vars'", "'{name[:60]}'")
            assert words in source, name


@pytest.mark.anyio
async def test_the_example_runs_as_the_guide_shows(world: World) -> None:
    text = (ROOT / "examples/workflow.yaml").read_text()
    assert text.strip() in GUIDE
    check_workflow(read_workflow(load_document(text)))
    task = await world.run(text)
    assert task.failure is None and sorted(task.out) == ["Hello from Count words", "fox 1 of 9", "the 2 of 9"]
    assert [line for line in task.out if line not in GUIDE] == []
