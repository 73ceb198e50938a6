"""The executor around engines that behave well, vanish, or stay silent."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.app import bounds
from holdfast.engines import Command, Engine, Process, ProcessEvent, SandboxSpec
from holdfast.errors import EngineError, OverCeilingError, RuntimeNotAvailableError, ShuttingDownError
from holdfast.execution import Admission, Executor
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.unisolated import NO_ISOLATION, UnisolatedEngine
from holdfast.types import Capabilities, ExitedEvent, Network, OutputEvent, RunRequest, StartedEvent, Status, Usage

pytestmark = pytest.mark.anyio

Make = Callable[..., Executor]


@pytest.fixture
async def engine() -> AsyncIterator[UnisolatedEngine]:
    async with aclosing(UnisolatedEngine()) as engine:
        yield engine


@pytest.fixture
def make(engine: UnisolatedEngine, tmp_path: Path) -> Make:
    settings = load_settings(environ={}, directory=tmp_path)

    def executor(of: Engine = engine, places: int = 2, runtimes: Any = None) -> Executor:
        found = {"python": "3", "bash": "5"} if runtimes is None else runtimes
        return Executor(of, bounds(settings), Admission(places=places, queue=4), Metrics(), found)

    return executor


def endless(proof: Path) -> RunRequest:
    return RunRequest(
        image="bash", code=f"echo $$ > {proof}.new; mv {proof}.new {proof}; echo up; sleep 600", timeout=60
    )


async def wait_for(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - another process gives no event
            await anyio.sleep(0.01)


async def started(proof: Path) -> int:
    await wait_for(proof.exists)
    return int(await anyio.Path(proof).read_text())


async def gone(pid: int) -> None:
    await wait_for(lambda: not Path(f"/proc/{pid}").exists())


async def test_events_are_numbered_and_end_with_the_result(make: Make) -> None:
    async with aclosing(make().stream(RunRequest(code="import os; os.write(1, b'hi\\n')"))) as stream:
        events = [event async for event in stream]
    assert [event.seq for event in events] == [1, 2, 3]
    first, output, last = events
    assert isinstance(first, StartedEvent)
    assert isinstance(output, OutputEvent)
    assert isinstance(last, ExitedEvent)
    assert last.result.run_id == first.run_id
    assert last.result.stdout == output.text == "hi\n"
    assert min(last.result.timings.model_dump().values()) >= 0


async def test_closing_the_stream_kills_the_program_and_frees_the_place(make: Make, tmp_path: Path) -> None:
    executor = make(places=1)
    async with aclosing(executor.stream(endless(tmp_path / "pid"))) as stream:
        assert isinstance(await anext(stream), StartedEvent)
        pid = await started(tmp_path / "pid")
    await gone(pid)
    assert executor.admission.running == 0


async def test_cancelling_a_run_kills_the_program_and_frees_the_place(make: Make, tmp_path: Path) -> None:
    executor = make(places=1)
    async with anyio.create_task_group() as group:
        group.start_soon(executor.run, endless(tmp_path / "pid"))
        pid = await started(tmp_path / "pid")
        group.cancel_scope.cancel()
    await gone(pid)
    assert (executor.admission.running, executor.admission.waiting) == (0, 0)


async def test_cancelling_while_queued_runs_nothing(make: Make, tmp_path: Path) -> None:
    executor = make(places=1)
    async with anyio.create_task_group() as group:
        group.start_soon(executor.run, endless(tmp_path / "first"))
        await started(tmp_path / "first")
        with anyio.move_on_after(0.05):
            await executor.run(endless(tmp_path / "second"))
        assert executor.admission.waiting == 0
        group.cancel_scope.cancel()
    assert not (tmp_path / "second").exists()


async def test_draining_waits_then_kills_and_the_caller_still_gets_a_result(make: Make, tmp_path: Path) -> None:
    executor, results = make(), []

    async def run() -> None:
        results.append(await executor.run(endless(tmp_path / "pid")))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await started(tmp_path / "pid")
        await executor.drain(0.1)
        with pytest.raises(ShuttingDownError):
            await executor.run(RunRequest(code="pass"))
    assert (results[0].status, results[0].stdout) == (Status.CANCELLED, "up\n")


async def test_draining_an_idle_executor_returns_at_once(make: Make) -> None:
    with anyio.fail_after(5):
        await make().drain(600)


async def test_a_language_that_is_absent_says_how_to_install_it(make: Make) -> None:
    with pytest.raises(RuntimeNotAvailableError, match="holdfast languages add node"):
        await make().run(RunRequest(code="1", image="node"))


class ImagesEngine(UnisolatedEngine):
    """One whose languages are images."""

    @property
    def capabilities(self) -> Capabilities:
        return super().capabilities.model_copy(update={"adds_languages": "holdfast images build {name}"})


async def test_where_languages_are_images_an_absent_one_is_to_be_built(make: Make) -> None:
    async with aclosing(ImagesEngine()) as engine:
        with pytest.raises(RuntimeNotAvailableError, match="holdfast images build node"):
            await make(engine).run(RunRequest(code="1", image="node"))


async def test_a_refused_request_takes_no_place(make: Make) -> None:
    executor = make(places=1)
    with pytest.raises(OverCeilingError):
        await executor.run(RunRequest(code="pass", timeout=301))
    assert executor.admission.running == 0


class LostProcess:
    """A process that ends without a verdict, as when a launcher was killed."""

    async def __aiter__(self) -> AsyncIterator[ProcessEvent]:
        nothing: tuple[ProcessEvent, ...] = ()
        for event in nothing:
            yield event

    async def kill(self) -> None:
        """It is gone already."""

    async def send(self, data: bytes) -> None:
        """Nobody reads it."""

    async def interrupt(self) -> None:
        """It is gone already."""

    async def usage(self) -> Usage:
        raise EngineError("The launcher is gone.")


class LostSandbox:
    """A sandbox whose launcher has died."""

    id = "lost"
    isolation = NO_ISOLATION

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator[Process]:
        yield LostProcess()

    async def write(self, path: str, data: bytes) -> None:
        raise EngineError("The launcher is gone.")

    async def read(self, path: str, *, max_bytes: int) -> bytes:
        raise EngineError("The launcher is gone.")

    async def aclose(self) -> None:
        """Nothing is left."""


class LosingEngine:
    """An engine whose every sandbox is lost."""

    capabilities = Capabilities(
        engine="losing", limits=frozenset(), networks=frozenset({Network.NONE}), layers=frozenset()
    )

    async def create(self, spec: SandboxSpec) -> LostSandbox:
        return LostSandbox()

    async def aclose(self) -> None:
        """Nothing is left."""


async def test_a_sandbox_that_vanishes_is_our_failure_and_never_a_status(make: Make) -> None:
    executor = make(LosingEngine())
    with pytest.raises(EngineError, match="without a verdict"):
        await executor.run(RunRequest(code="pass"))
    assert executor.admission.running == 0
    assert b"holdfast_runs_total{" not in executor.metrics.exposition()
