"""The real server against what its description says: no 5xx, and every answer is as described.

`make fuzz EXAMPLES=5000` looks longer.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import EXPECTED

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
SEEDS = (1, 2, 3)
KEY = "the-key-of-the-fuzzer"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SMALL = {"DEFAULT_TIMEOUT": "1", "MAX_TIMEOUT": "2", "COMPILE_TIMEOUT": "5", "OUTPUT_BYTES": "64k"}
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
            assert "local" not in EXPECTED, f"{line} (and HOLDFAST_EXPECT names local)"
            pytest.skip(f"the server does not start here: {line}")
        yield found[0]
        process.terminate()


@pytest.fixture(scope="module")
def description(server: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{server}/openapi.json", headers={"X-API-Key": KEY})


schema = schemathesis.pytest.from_fixture("description")


def check(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"X-API-Key": KEY}, checks=CHECKS, timeout=30)


def looking() -> settings:
    return settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(max(240, EXAMPLES * 2))
@schema.parametrize()
@seed(1)
@looking()
def test_first_seed(case: schemathesis.Case) -> None:
    check(case)
