"""A program that is looked at afterwards cannot be told from `python main.py`, but by one that looks at its frames."""

import base64
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import App
from holdfast.grading.inspection import Inspection
from holdfast.types import File, RunRequest, RunResult
from tests.differential import corpus
from tests.differential.program import Program, read_theme

pytestmark = pytest.mark.anyio

THEMES = [path for path in corpus.THEMES if path.stem != "libraries"]
CAN_TELL = {
    # They show, count or trace the frames below their own.
    "shows the frame",
    "shows inspect.stack",
    "counts frames",
    "counts how deep a recursion goes",
    "counts how deep with another limit",
    "counts how deep a recursion through C goes",
    "sets a recursion limit that is too low",
    "a deep recursion",
    "a mutual recursion",
    "a recursion in repr",
    "a profile function during shutdown",
    "an audit hook that sees everything late",
    "traceback.print_stack",
    "faulthandler dumps a traceback",
    "excepthook that fails",
    "excepthook removed",
    # They are told of a fault in other words, or end in a way only the interpreter can.
    "a bad encoding cookie",
    "a cookie that contradicts the BOM",
    "a null byte",
    "sys.exit with an empty tuple",
}


def request_of(program: Program) -> RunRequest | None:
    """The program as a request, unless it is none: no text, or no code."""
    files = program.all_files()
    try:
        code, stdin = files.pop("main.py").decode(), program.stdin.decode()
    except UnicodeDecodeError:
        return None
    beside: dict[str, str | File] = {name: File(base64=base64.b64encode(data).decode()) for name, data in files.items()}
    fields: dict[str, Any] = {"stdin": stdin, "args": list(program.args), "artifacts": list(program.artifacts)}
    return RunRequest(code=code, files=beside, timeout=20, **fields) if code else None


def seen(result: RunResult) -> tuple[Any, ...]:
    return result.stdout, result.stderr, result.exit_code, result.status, result.artifacts, result.notes


@pytest.mark.parametrize("theme", THEMES, ids=lambda path: path.stem)
@pytest.mark.timeout(180)
async def test_an_inspected_program_does_what_a_plain_one_does(theme: Path, app: App) -> None:
    requests = {program.name: request for program in read_theme(theme) if (request := request_of(program))}
    assert len(requests) > 20
    differing = set()
    for name, request in requests.items():
        inspection = Inspection.of(request)
        plain, inspected = [await app.executor.run(each) for each in (request, inspection.request)]
        if seen(plain) != seen(inspection.without_ours(inspected)):
            differing.add(name)
    assert differing <= CAN_TELL
