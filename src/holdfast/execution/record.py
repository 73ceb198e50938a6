"""What is known about one run while it happens, and the result it becomes."""

import base64
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Literal

from holdfast.engines import Exited, Output, ProcessEvent, SandboxSpec
from holdfast.execution.metadata import read_metadata
from holdfast.execution.output import Capture
from holdfast.execution.verdict import verdict
from holdfast.types import (
    Artifact,
    Compile,
    CompiledEvent,
    ExitedEvent,
    Isolation,
    OutputEvent,
    RunResult,
    StartedEvent,
    Timings,
    Truncated,
)

_ID_BYTES = 16


class Run:
    """One run: it turns what the engine reports into numbered events and, at the end, into a `RunResult`."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.id = f"run-{secrets.token_hex(_ID_BYTES)}"
        self.exited: Exited | None = None
        self.spec = spec
        self._compile: Compile | None = None
        self._seq = 0
        self._isolation: Isolation | None = None
        self._stdout = Capture(spec.limits.output_bytes)
        self._stderr = Capture(spec.limits.output_bytes)
        self._captures = {"stdout": self._stdout, "stderr": self._stderr}
        self._marks = [time.perf_counter()]

    @property
    def wall_seconds(self) -> float:
        """How long it may take."""
        return self.spec.limits.wall_seconds

    @property
    def flooded(self) -> bool:
        """Whether it wrote so much that it must be ended."""
        return self._stdout.flooded or self._stderr.flooded

    def mark(self) -> None:
        """Remember that the next stage begins now: a place was given, perhaps compiled, the sandbox was made."""
        self._marks.append(time.perf_counter())

    @property
    def returned(self) -> Mapping[str, bytes]:
        """The files it was asked to hand back for ourselves."""
        return self.exited.returned if self.exited else {}

    def compiled(self, compile: Compile) -> CompiledEvent:
        """The event that says what the compiler did."""
        self._compile = compile
        return CompiledEvent(seq=self._next_seq(), run_id=self.id, compile=compile)

    def never_ran(self, failure: RunResult) -> ExitedEvent:
        """The last event of a run that did not get beyond its compiler."""
        timings = failure.timings.model_copy(update={"queue_ms": self._queue_ms()})
        result = failure.model_copy(update={"run_id": self.id, "timings": timings})
        return ExitedEvent(seq=self._next_seq(), result=result)

    def started(self, isolation: Isolation) -> StartedEvent:
        """The event that says what holds the program."""
        self._isolation = isolation
        return StartedEvent(seq=self._next_seq(), run_id=self.id, isolation=isolation)

    def take(self, event: ProcessEvent) -> Iterator[OutputEvent]:
        """The events one report of the engine becomes; none when the output is beyond the cap."""
        if isinstance(event, Output):
            if event.stream == "frames":
                return
            yield from self._said(event.stream, self._captures[event.stream].feed(event.data))
            return
        self.exited = event
        yield from self._said("stdout", self._stdout.finish())
        yield from self._said("stderr", self._stderr.finish())

    def finished(self) -> ExitedEvent:
        """The last event. Needs `started` and an `Exited` before it."""
        return ExitedEvent(seq=self._next_seq(), result=self._result())

    def _said(self, stream: Literal["stdout", "stderr"], text: str) -> Iterator[OutputEvent]:
        if text:
            yield OutputEvent(seq=self._next_seq(), stream=stream, text=text)

    def _result(self) -> RunResult:
        exited, isolation = self.exited, self._isolation
        if exited is None or isolation is None:
            raise AssertionError("a result needs a start and an end")
        status, exit_code = verdict(exited, flooded=self.flooded)
        metadata, notes = read_metadata(exited.returned, exited.notes)
        return RunResult(
            run_id=self.id,
            status=status,
            stdout=self._stdout.text,
            stderr=self._stderr.text,
            exit_code=exit_code,
            execution_time=round(exited.usage.wall_seconds, 4),
            truncated=Truncated(stdout=self._stdout.truncated, stderr=self._stderr.truncated),
            usage=exited.usage,
            timings=self._timings(exited),
            limits=self.spec.limits,
            isolation=isolation,
            artifacts=tuple(_artifact(path, content) for path, content in sorted(exited.artifacts.items())),
            notes=notes,
            compile=self._compile,
            metadata=metadata,
        )

    def _timings(self, exited: Exited) -> Timings:
        *_, begun, made = self._marks
        return Timings(
            queue_ms=self._queue_ms(),
            setup_ms=_milliseconds(made - begun),
            start_ms=round(exited.start_ms, 3),
            run_ms=round(exited.run_ms, 3),
            collect_ms=round(exited.collect_ms, 3),
        )

    def _queue_ms(self) -> float:
        arrived, admitted, *_ = self._marks
        return _milliseconds(admitted - arrived)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _artifact(path: str, content: bytes) -> Artifact:
    return Artifact(path=path, size_bytes=len(content), base64=base64.b64encode(content).decode())


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
