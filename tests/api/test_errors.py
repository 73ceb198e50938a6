"""Every class of the error tree through HTTP, as one engine or another might raise it."""

import errno
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from holdfast.app import App, assemble
from holdfast.engines import SandboxSpec
from holdfast.errors import HoldfastError, QueueFullError, StartupError
from holdfast.telemetry import Metrics
from holdfast.testing.unisolated import UnisolatedEngine, UnisolatedSandbox

pytestmark = pytest.mark.anyio


def tree(root: type[HoldfastError]) -> list[type[HoldfastError]]:
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]


CLASSES = [kind for kind in tree(HoldfastError) if "http_status" in vars(kind)]
ANSWERED = [kind for kind in CLASSES if not issubclass(kind, StartupError)]


class Failing(UnisolatedEngine):
    """An engine whose sandboxes cannot be made, for a reason the test chooses."""

    failure: Exception | None = None

    async def create(self, spec: SandboxSpec) -> UnisolatedSandbox:
        if self.failure is not None:
            raise self.failure
        return await super().create(spec)


@pytest.fixture
async def failing(settings_of: Any) -> Any:
    engine = Failing()
    yield engine, assemble(settings_of(), engine, {"python": "3"}, Metrics())
    await engine.aclose()


async def answer_of(app: App, path: str = "/run") -> httpx.Response:
    transport = httpx.ASGITransport(create_api(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(path, json={"code": "print(1)"})


@pytest.mark.parametrize("path", ["/run", "/run/stream"])
@pytest.mark.parametrize("kind", ANSWERED)
async def test_every_error_becomes_its_problem_document(kind: type[HoldfastError], path: str, failing: Any) -> None:
    engine, app = failing
    engine.failure = kind("A sentence.")
    answer = await answer_of(app, path)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (kind.http_status, kind.http_status)
    assert (problem["code"], problem["detail"], problem["type"]) == (kind.code, "A sentence.", "about:blank")
    assert ("retry-after" in answer.headers) == kind.retryable


async def test_the_advice_of_a_full_queue_travels_in_retry_after(failing: Any) -> None:
    engine, app = failing
    engine.failure = QueueFullError("Full.", retry_after_seconds=7)
    assert (await answer_of(app)).headers["retry-after"] == "7"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_is_507_and_the_server_recovers(number: int, failing: Any) -> None:
    engine, app = failing
    engine.failure = OSError(number, "full")
    answer = await answer_of(app)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    engine.failure = None
    assert (await answer_of(app)).json()["stdout"] == "1\n"


@pytest.mark.parametrize("failure", [RuntimeError("the secret of the house"), OSError(errno.EIO, "secret disk")])
async def test_an_unexpected_failure_is_500_and_tells_nothing(failure: Exception, failing: Any) -> None:
    engine, app = failing
    engine.failure = failure
    answer = await answer_of(app)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] in answer.json()["detail"]


async def test_a_failing_engine_makes_health_degraded_until_it_works_again(failing: Any) -> None:
    engine, app = failing
    assert app.executor.healthy
    engine.failure = next(kind for kind in CLASSES if kind.code == "engine_error")("Lost.")
    await answer_of(app)
    assert not app.executor.healthy
    engine.failure = None
    await answer_of(app)
    assert app.executor.healthy


async def test_a_language_that_is_not_installed_is_503_with_the_command(client: httpx.AsyncClient) -> None:
    for image, command in (("go", "holdfast languages add go"), ("code-runner-rust", "holdfast languages add rust")):
        for path in ("/run", "/run/stream"):
            answer = await client.post(path, json={"image": image, "code": "x"})
            assert (answer.status_code, answer.json()["code"]) == (503, "runtime_not_available")
            assert command in answer.json()["detail"]


async def test_an_unknown_language_is_404_and_names_those_there_are(client: httpx.AsyncClient) -> None:
    answer = await client.post("/run", json={"language": "cobol", "code": "x"})
    assert answer.status_code == 404
    names = "python, node, deno, bun, go, rust, bash, sql"
    assert answer.json()["detail"] == f"'cobol' is not one of: {names}, nor a prebuilt environment."
