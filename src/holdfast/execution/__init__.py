"""Run a command in a sandbox as a stream of events; everything else that runs something is a caller of this."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager

import anyio

from holdfast.engines import Command, Engine, Process, ProcessEvent, Sandbox, SandboxSpec
from holdfast.errors import EngineError, RuntimeNotAvailableError, full_disk_is_ours
from holdfast.execution.admission import Admission
from holdfast.execution.building import Builder, Built, with_program
from holdfast.execution.origins import OnEnd, on_behalf_of, origin, recorded, recorded_elsewhere, runs_of
from holdfast.execution.programs import ProgramStore
from holdfast.execution.record import Run
from holdfast.execution.requests import Bounds, must_compile, plan
from holdfast.languages import LANGUAGES, Language
from holdfast.telemetry import Metrics
from holdfast.types import Capabilities, Event, ExitedEvent, RunRequest, RunResult

__all__ = [
    "Admission",
    "Bounds",
    "Executor",
    "ProgramStore",
    "how_to_add",
    "on_behalf_of",
    "origin",
    "recorded",
    "recorded_elsewhere",
    "runs_of",
]

ENGINE_GRACE_SECONDS = 15.0
"""How long beyond the time limit an engine may stay silent before we call the sandbox lost."""

CLOSE_GRACE_SECONDS = 10.0
KILL_GRACE_SECONDS = 3.0


class Executor:
    """Runs requests on one engine, a bounded number at a time.

    `runtimes` says which languages this host has: name to version, `None` when the language is absent. `programs` keeps
    what was compiled; without it everything is compiled anew. `on_end` gets the record of every run that had a place.
    """

    def __init__(
        self,
        engine: Engine,
        bounds: Bounds,
        admission: Admission,
        metrics: Metrics,
        runtimes: Mapping[str, str | None],
        programs: ProgramStore | None = None,
    ) -> None:
        self.engine = engine
        self.bounds = bounds
        self.admission = admission
        self.metrics = metrics
        self.runtimes = runtimes
        self.on_end: OnEnd = lambda record, owner: None
        self.healthy = True
        self._builder = Builder(self._execute, bounds.compiling, programs)
        self._processes: set[Process] = set()
        metrics.running.set_function(lambda: admission.running)
        metrics.queued.set_function(lambda: admission.waiting)

    def validate(self, request: RunRequest) -> tuple[SandboxSpec, Command]:
        """What the request means to the engine. Raises RequestError, RuntimeNotAvailableError."""
        spec, command = plan(request, self.bounds, self.engine.capabilities)
        self.check_ready(LANGUAGES[spec.language])
        return spec, command

    def check_ready(self, language: Language, field: str = "image") -> None:
        """Raises RuntimeNotAvailableError."""
        if self.runtimes.get(language.name) is None:
            raise RuntimeNotAvailableError(
                f"{language.title} is not installed for programs; "
                f"install it with: {how_to_add(language, self.engine.capabilities)}.",
                field=field,
            )

    async def run(self, request: RunRequest) -> RunResult:
        """Run to the end. Raises RequestError, QueueFullError, EngineError, ShuttingDownError, StorageFullError."""
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                if isinstance(event, ExitedEvent):
                    return event.result
        raise EngineError("The sandbox ended without a verdict.")

    async def stream(self, request: RunRequest) -> AsyncGenerator[Event, None]:
        """The run as events, of which `ExitedEvent` is the last. Closing the generator kills the run.

        Raises what `run` raises, all but EngineError and StorageFullError before the first event.
        """
        spec, command = self.validate(request)
        run = Run(spec)
        failure = None
        with recorded(run, self.on_end):
            with full_disk_is_ours():
                async with self.admission.place():
                    run.mark()
                    if must_compile(request):
                        built = await self.build(spec.language, command.files, spec.layer)
                        yield run.compiled(built.compile)
                        run.mark()
                        failure, command = built.failure, with_program(command, built.program)
                    if failure is None:
                        async with aclosing(self._execute(run, command)) as events:
                            async for event in events:
                                yield event
            last = run.finished() if failure is None else run.never_ran(failure)
        self.count(spec.language, last.result)
        yield last

    async def perform(self, spec: SandboxSpec, command: Command) -> Run:
        """Run a command of our own to its end, with a place and a record as any run; `Run.result` is set.

        Raises QueueFullError, EngineError, ShuttingDownError, StorageFullError, NotFoundError.
        """
        run = Run(spec)
        with recorded(run, self.on_end):
            with full_disk_is_ours():
                async with self.admission.place():
                    run.mark()
                    async with aclosing(self._execute(run, command)) as events:
                        async for _ in events:
                            continue
            last = run.finished()
        self.count(spec.language, last.result)
        return run

    async def build(self, name: str, files: Mapping[str, bytes], layer: str = "") -> Built:
        """The program these files mean in a compiled language. Raises EngineError, NotFoundError, StorageFullError."""
        return await self._builder.build(LANGUAGES[name], self.runtimes[name] or "", files, layer)

    async def _execute(self, run: Run, command: Command) -> AsyncGenerator[Event, None]:
        """A command in a sandbox of its own, up to its verdict, which `run` then has."""
        killed = False
        async with self.sandbox(run.spec) as sandbox:
            run.mark()
            async with sandbox.exec(command) as process:
                with self.killable(process):
                    yield run.started(sandbox.isolation)
                    reports = aiter(process)
                    while run.exited is None:
                        for event in run.take(await next_report(reports, command.wall_seconds)):
                            yield event
                        if run.flooded and not killed:
                            killed = True
                            await process.kill()

    async def drain(self, grace_seconds: float) -> None:
        """Take no new runs, let the running ones end, and kill what still runs after `grace_seconds`."""
        self.admission.drain()
        with anyio.move_on_after(grace_seconds):
            await self.admission.wait_until_idle()
        for process in tuple(self._processes):
            await process.kill()
        with anyio.move_on_after(KILL_GRACE_SECONDS):
            await self.admission.wait_until_idle()

    @asynccontextmanager
    async def sandbox(self, spec: SandboxSpec) -> AsyncIterator[Sandbox]:
        """A sandbox for the length of the block. Raises UnsupportedError, EngineError, NotFoundError."""
        try:
            sandbox = await self.engine.create(spec)
        except EngineError:
            self.healthy = False
            raise
        self.healthy = True
        try:
            yield sandbox
        finally:
            with anyio.move_on_after(CLOSE_GRACE_SECONDS, shield=True):
                await sandbox.aclose()

    @contextmanager
    def killable(self, process: Process) -> Iterator[None]:
        """For the length of the block, this process is ended when the drain has no more patience."""
        self._processes.add(process)
        try:
            yield
        finally:
            self._processes.discard(process)

    def count(self, language: str, result: RunResult) -> None:
        """Put a run that has ended into the metrics."""
        self.metrics.runs.labels(language, result.status.value).inc()
        self.metrics.run_seconds.labels(language).observe(result.usage.wall_seconds)
        self.metrics.queue_seconds.observe(result.timings.queue_ms / 1000)
        self.metrics.setup_seconds.observe(result.timings.setup_ms / 1000)


def how_to_add(language: Language, capabilities: Capabilities) -> str:
    """The command that adds a language to what an engine runs."""
    return capabilities.adds_languages.format(name=language.name) or language.install


async def next_report(reports: AsyncIterator[ProcessEvent], wall_seconds: float) -> ProcessEvent:
    """The engine's next report. The engine holds the time limit; this only notices an engine that is gone."""
    try:
        with anyio.fail_after(wall_seconds + ENGINE_GRACE_SECONDS):
            return await anext(reports)
    except StopAsyncIteration:
        raise EngineError("The sandbox ended without a verdict.") from None
    except TimeoutError:
        raise EngineError("The sandbox did not answer after the time limit.") from None
