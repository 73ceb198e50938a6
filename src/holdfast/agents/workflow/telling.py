"""What a workflow says while it runs: masked, line by line, in order."""

from collections.abc import Awaitable, Callable
from typing import Literal

from holdfast.agents.masking import Masker
from holdfast.engines import Output
from holdfast.execution.output import Capture
from holdfast.types import EmittedEvent, LogEvent, StepEndEvent, StepStartEvent

MAX_LINE = 8_000
"""Of a longer line the rest is a line of its own."""

MAX_SUMMARY_CHARACTERS = 1 << 20

Emit = Callable[..., Awaitable[None]]
StepState = Literal["success", "failure", "error", "skipped", "cancelled"]


class Teller:
    """Speaks for a whole task. Every secret is hidden in all it says."""

    def __init__(self, emit: Emit, secrets: tuple[str, ...]) -> None:
        self._emit = emit
        self._masker = Masker(secrets)
        self._steps = 0
        self._summaries: list[str] = []

    def masked(self, text: str) -> str:
        """The text without any secret."""
        return self._masker.mask(text)

    def has_secret(self, text: str) -> bool:
        """Whether there is one in it."""
        return self._masker.mask(text) != text

    def masker(self) -> Masker:
        """One for a stream."""
        return self._masker.another()

    async def say(self, *events: EmittedEvent) -> None:
        """Append events that hold no text of a program."""
        await self._emit(*events)

    def step(self, job: str | None) -> "StepTeller":
        """Speaks for the next step."""
        self._steps += 1
        return StepTeller(self, self._steps - 1, job)

    def summarise(self, text: str) -> None:
        """Add to the summary of the task."""
        room = MAX_SUMMARY_CHARACTERS - sum(map(len, self._summaries))
        self._summaries.append(self.masked(text)[: max(0, room)])

    @property
    def summary(self) -> str:
        """All the steps have summed up."""
        return "\n".join(each for each in self._summaries if each)


class StepTeller:
    """Speaks for one step."""

    def __init__(self, teller: Teller, index: int, job: str | None) -> None:
        self._teller = teller
        self._index = index
        self._job = job
        self.name = ""

    async def start(self, name: str) -> None:
        """It begins."""
        self.name = self._teller.masked(name)[:200]
        await self._teller.say(StepStartEvent(step_name=self.name, step_index=self._index, job=self._job))

    async def end(self, state: StepState, output: str | None = None, *, name: str | None = None) -> None:
        """It is over, or was never begun and has only a `name`."""
        if name is not None:
            self.name = self._teller.masked(name)[:200]
        told = None if output is None else self._teller.masked(output)
        event = StepEndEvent(step_name=self.name, step_index=self._index, step_state=state, output=told, job=self._job)
        await self._teller.say(event)

    async def log(self, message: str, level: Literal["info", "warning", "error"] = "info") -> None:
        """A line about the step."""
        await self._lines(level, [self._teller.masked(message)])

    async def _lines(self, level: str, lines: list[str]) -> None:
        cut = [line[at : at + MAX_LINE] for line in lines for at in range(0, max(1, len(line)), MAX_LINE)]
        events = [
            LogEvent.model_validate({"level": level, "message": line, "step_index": self._index, "job": self._job})
            for line in cut
        ]
        if events:
            await self._teller.say(*events)

    def streams(self, most_bytes: int) -> "Streams":
        """For what its program writes, at most so many bytes into each stream."""
        return Streams(self, self._teller, most_bytes)


class Streams:
    """The output of one program as lines."""

    def __init__(self, step: StepTeller, teller: Teller, most_bytes: int) -> None:
        self._step = step
        self._most_bytes = most_bytes
        self._captures = {name: Capture(most_bytes) for name in ("stdout", "stderr")}
        self._maskers = {name: teller.masker() for name in self._captures}
        self._begun = dict.fromkeys(self._captures, "")

    @property
    def flooded(self) -> bool:
        """Whether so much more was written that the program must be ended."""
        return any(capture.flooded for capture in self._captures.values())

    async def hear(self, output: Output) -> None:
        """Take what was written."""
        if output.stream in self._captures:
            text = self._captures[output.stream].feed(output.data)
            await self._tell(output.stream, self._maskers[output.stream].feed(text))

    async def finish(self) -> None:
        """Tell what is left, and whether something was dropped."""
        for stream, capture in self._captures.items():
            rest = self._maskers[stream].feed(capture.finish()) + self._maskers[stream].finish()
            await self._tell(stream, rest + ("\n" if self._begun[stream] + rest else ""))
            if capture.truncated:
                await self._step.log(f"{stream} beyond {self._most_bytes:,} bytes was dropped.", "warning")

    async def _tell(self, stream: str, text: str) -> None:
        *lines, self._begun[stream] = (self._begun[stream] + text).split("\n")
        while len(self._begun[stream]) > MAX_LINE:
            lines.append(self._begun[stream][:MAX_LINE])
            self._begun[stream] = self._begun[stream][MAX_LINE:]
        await self._step._lines(stream, [line.removesuffix("\r") for line in lines])
