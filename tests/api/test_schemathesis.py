"""The real server against what its description says: no 5xx, and every answer is as described.

`make fuzz EXAMPLES=5000` looks longer.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import DrawFn, SearchStrategy, booleans, composite, sampled_from
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from holdfast.api import described
from tests.conftest import lacks

Operation = Any
Case = schemathesis.Case[Any]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
SEEDS = (1, 2, 3)
OPERATIONS: list[Operation] = [
    *map(methodcaller("ok"), schemathesis.openapi.from_dict(described()).get_all_operations())
]
KEY = "the-key-of-the-fuzzer"
PROGRAMS = ("print(6 * 7)", "import sys\nsys.exit(3)", "x = [1, 2]\ndef f(*a, **k): return a", "(", "while True: pass")
TESTS: tuple[dict[str, Any], ...] = (
    {},
    {"tests": []},
    {"tests": [{"type": "output", "expected": "42"}, {"type": "list_length", "variable": "x", "expected": 2}]},
    {"tests": [{"type": "function_call", "function": "f", "args": [1.5, None]}, {"type": "stdin", "checker": {}}]},
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SMALL = {"DEFAULT_TIMEOUT": "1", "MAX_TIMEOUT": "2", "COMPILE_TIMEOUT": "5", "OUTPUT_BYTES": "64k"}
SMALL |= {"MAX_SESSIONS": "3", "SESSION_IDLE": "2", "MAX_SESSION_IDLE": "3"}
"""Generated programs are harmless, and here also short."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = tmp_path_factory.mktemp("fuzzed")
    ours = Path("~/.local/share/holdfast").expanduser()
    environment = {
        **os.environ,
        **{f"HOLDFAST_{name}": value for name, value in SMALL.items()},
        "HOLDFAST_GUEST_ENV": os.environ.get("HOLDFAST_GUEST_ENV", str(ours / "guest")),
        "HOLDFAST_LANGUAGES_DIR": os.environ.get("HOLDFAST_LANGUAGES_DIR", str(ours / "languages")),
        "HOLDFAST_STATE_DIR": str(state),
        "HOLDFAST_AUTH_TOKEN": KEY,
        "HOLDFAST_LOG_LEVEL": "error",
        "TMPDIR": str(state),
    }
    command = [sys.executable, "-m", "holdfast.cli", "serve", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=state)
    assert process.stderr is not None
    with process:
        line = process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        if found is None:
            process.kill()
            lacks("local", f"the server does not start here: {line}")
        yield found[0]
        process.terminate()


@pytest.mark.timeout(max(120, EXAMPLES))
@pytest.mark.parametrize("number", SEEDS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_whatever_is_sent_the_answer_is_as_described(operation: Operation, number: int, server: str) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation))
    def look(case: Case) -> None:
        shorten_the_wait(case)
        case.call_and_validate(base_url=server, headers={"X-API-Key": KEY}, checks=CHECKS, timeout=30)

    look()


def shorten_the_wait(case: Case) -> None:
    """A runner that waits for a task waits here for a moment."""
    body = case.body
    asked = body.get("wait_seconds") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(asked, int | float) and asked > 0.01:
        body["wait_seconds"] = 0.01


def cases(operation: Operation) -> SearchStrategy[Case]:
    """Requests that follow the description, some that do not, and for programs also such as someone would send."""
    right: SearchStrategy[Case] = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    described_input = operation.definition.raw
    if not described_input.keys() & {"requestBody", "parameters"}:
        return right
    wrong: SearchStrategy[Case] = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return right | wrong | plausible(right) | plausible(right) if "requestBody" in described_input else right | wrong


@composite
def plausible(draw: DrawFn, right: SearchStrategy[Case]) -> Case:
    """A request for a program that runs, with what else was generated left out by chance."""
    case = draw(right)
    if isinstance(case.body, dict):
        kept = {name: value for name, value in case.body.items() if draw(booleans()) and name not in ("image", "files")}
        case.body = {**kept, "code": draw(sampled_from(PROGRAMS)), **draw(sampled_from(TESTS))}
    return case
