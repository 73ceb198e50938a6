"""Every promise of SPEC.md names the test or benchmark that shows it, and that one exists."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISE = re.compile(r"^\| (?P<id>[A-Z]\d+) \| (?P<text>.+?) \| (?P<shown_by>.+?) \|$", re.M)
REFERENCE = re.compile(r"`(?P<path>[\w/.-]+\.py)::(?P<name>\w+)`")
PROMISES = [match.groupdict() for match in PROMISE.finditer((ROOT / "SPEC.md").read_text())]
IDS = [promise["id"] for promise in PROMISES]


@functools.cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("promise", PROMISES, ids=IDS)
def test_a_promise_names_a_test_or_benchmark_that_exists(promise: dict[str, str]) -> None:
    references = [match.groupdict() for match in REFERENCE.finditer(promise["shown_by"])]
    assert references, f"{promise['id']} names nothing that shows it"
    for reference in references:
        assert (ROOT / reference["path"]).is_file(), reference
        assert reference["name"] in functions_of(reference["path"]), reference


@pytest.mark.parametrize("promise", PROMISES, ids=IDS)
def test_what_shows_a_promise_is_a_test_a_shipped_case_or_a_benchmark(promise: dict[str, str]) -> None:
    for reference in REFERENCE.finditer(promise["shown_by"]):
        path, name = reference["path"], reference["name"]
        assert path.startswith(("tests/bench/", "src/holdfast/testing/")) or name.startswith("test_"), reference


def test_promises_are_numbered_without_gaps() -> None:
    for letter in sorted({name[0] for name in IDS}):
        numbers = [int(name[1:]) for name in IDS if name.startswith(letter)]
        assert numbers == list(range(1, len(numbers) + 1)) and numbers


def test_every_row_of_the_specification_was_read_as_a_promise() -> None:
    rows = [line for line in (ROOT / "SPEC.md").read_text().splitlines() if line.startswith("| ")]
    headings = [row for row in rows if row.startswith(("| | ", "| --- "))]
    assert len(rows) == len(PROMISES) + len(headings)
