"""`holdfast grade`: a submission against its tests, in an engine of this process or on a server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.app import open_app
from holdfast.cli import running
from holdfast.cli.calling import client_of
from holdfast.client import AsyncClient
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging
from holdfast.types import OPERATOR, GradeRequest, GradeResult, RunRequest, Status, Verdict

MAX_SHOWN_CHARACTERS = 60
NOT_PASSED = 1


def build(request: RunRequest, tests: Path) -> GradeRequest:
    """The submission with the tests of a file: a list, or an object whose `tests` is one beside limits of its own.

    Raises typer.BadParameter.
    """
    given = _load(tests)
    body = {"tests": given} if isinstance(given, list) else given
    if not isinstance(body, dict) or "tests" not in body:
        raise typer.BadParameter(
            f"'{tests}' is neither a list of tests nor an object with 'tests'", param_hint="--tests"
        )
    try:
        return GradeRequest.model_validate({**body, **request.model_dump(exclude_defaults=True)})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        reason = fault["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(f"'{tests}': {place}: {reason}", param_hint="--tests") from None


def _load(path: Path) -> Any:
    """What a file of tests holds; JSON is told by its ending, everything else is YAML."""
    try:
        text = path.read_text("utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise typer.BadParameter(f"'{path}' cannot be read: {error.strerror}", param_hint="--tests") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        first = str(error).splitlines()[0] if str(error) else "too deeply nested"
        raise typer.BadParameter(f"'{path}' is not {kind}: {first}", param_hint="--tests") from None


async def grade(request: GradeRequest, settings: Settings, *, as_json: bool) -> int:
    """Grade it, show the verdicts, and return the exit code: 0 when all passed."""
    configure_logging("warning", settings.log_format)
    result = await (_here(request, settings) if settings.server is None else _there(request, settings))
    if as_json:
        print(result.model_dump_json(indent=2))
    else:
        _show(result)
    return 0 if result.all_passed else NOT_PASSED


async def _here(request: GradeRequest, settings: Settings) -> GradeResult:
    images = {request.image, *(test.checker.image for test in request.tests or () if test.checker)}
    names = {running.language_of(image, settings) for image in images}
    async with open_app(settings, names) as app, app.prebuilds.using(request, OPERATOR) as placed:
        return await app.grader.grade(placed)


async def _there(request: GradeRequest, settings: Settings) -> GradeResult:
    async with client_of(settings, AsyncClient) as client:
        return await client.grade(request)


def _show(result: GradeResult) -> None:
    console = Console(highlight=False)
    table = Table("", "Test", "Expected", "Actual", "Points")
    for verdict in result.test_results:
        mark = Text("pass", "green") if verdict.passed else Text("FAIL", "bold red")
        table.add_row(mark, *map(Text, _row(verdict)))
    if result.test_results:
        console.print(table)
    passed = sum(verdict.passed for verdict in result.test_results)
    console.print(f"{passed} of {len(result.test_results)} passed, {result.points:g} of {result.max_points:g} points.")
    if result.status is not Status.SUCCEEDED:
        running.explain(result)
        console.print(Text(f"The program ended with status {result.status} and exit code {result.exit_code}."))
        console.print(Text(result.stderr.rstrip()), end="\n" if result.stderr else "")


def _row(verdict: Verdict) -> tuple[str, ...]:
    description, points = _shortened(verdict.description), f"{verdict.points:g} of {verdict.max_points:g}"
    if verdict.hidden:
        return description, "hidden", "hidden", points
    actual = verdict.error if verdict.error is not None else _text(verdict.actual)
    return description, _text(verdict.expected), _shortened(actual), points


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return _shortened(value or "")
    return _shortened(json.dumps(value, ensure_ascii=False) if isinstance(value, list | Mapping) else str(value))


def _shortened(text: str) -> str:
    line = " ⏎ ".join(text.strip().splitlines())
    return line if len(line) <= MAX_SHOWN_CHARACTERS else f"{line[:MAX_SHOWN_CHARACTERS]}…"
