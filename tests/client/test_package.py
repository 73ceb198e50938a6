"""What `import holdfast` offers, and what it brings along."""

import subprocess
import sys

import pytest

import holdfast
from holdfast import errors, types
from tests.unit.test_errors import classes

HEAVY = (
    *("starlette", "uvicorn", "typer", "duckdb", "structlog", "prometheus_client", "yaml"),
    *("holdfast.app", "holdfast.api", "holdfast.engines", "holdfast.execution", "holdfast.settings"),
    *("holdfast.languages", "holdfast.guest", "holdfast.inprocess"),
)


def brought_by(program: str) -> set[str]:
    shown = subprocess.check_output([sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"], text=True)
    return set(shown.split())


def test_the_client_brings_neither_the_server_nor_the_engines_along() -> None:
    modules = brought_by("from holdfast import Client, AsyncClient, RunRequest, TimeoutError; Client().close()")
    assert {"holdfast.client", "httpx", "pydantic"} <= modules
    assert sorted(modules & {*HEAVY}) == []


def test_importing_the_package_loads_nothing() -> None:
    assert not {name for name in brought_by("import holdfast") if name.startswith(("holdfast.", "pydantic", "httpx"))}


def test_everything_offered_is_there_and_at_home_where_it_says() -> None:
    for name in holdfast.__all__:
        assert getattr(holdfast, name) is not None
    assert {*holdfast.__all__} <= {*dir(holdfast)}
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        holdfast.Nothing  # noqa: B018


def test_every_error_is_offered() -> None:
    startup = {"ConfigurationError", "HostError"}
    assert {kind.__name__ for kind in classes()} - startup <= {*holdfast.__all__}


def test_the_names_of_quartermasters_package_mean_the_same_here() -> None:
    from holdfast import (
        CodeExecutionRequest,
        CodeExecutionResponse,
        CodeRunnerError,
        DockerError,
        ExecutionError,
        HealthResponse,
        InvalidLanguageError,
        ResourceExhaustedError,
        RuntimeNotAvailableError,
    )

    assert (CodeExecutionRequest, CodeExecutionResponse) == (types.RunRequest, types.RunResult)
    assert HealthResponse is types.Health
    assert (DockerError, InvalidLanguageError) == (errors.EngineError, errors.UnknownLanguageError)
    for kind in (ExecutionError, ResourceExhaustedError, RuntimeNotAvailableError, DockerError, InvalidLanguageError):
        assert issubclass(kind, CodeRunnerError)
    failed = ExecutionError("It failed.", 3, "out", "err")
    assert (failed.exit_code, failed.stdout, failed.stderr, str(failed)) == (3, "out", "err", "It failed.")
    assert ResourceExhaustedError("Too much.", "memory").resource_type == "memory"
    late = holdfast.TimeoutError("Too late.", 1.5, "out")
    assert (late.duration, late.stdout, str(late)) == (1.5, "out", "Too late.")
    assert isinstance(late, TimeoutError) and isinstance(late, CodeRunnerError)
    assert not isinstance(late, ExecutionError), "siblings, as they were"
