"""A task and its tools without a sandbox, to try agents on: what they tell and what they use is written down."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.agents.model import ToolOffer
from holdfast.types import OPERATOR, AgentTask, AnyTaskEvent, Caller, EmittedEvent

Use = Callable[[Mapping[str, Any]], Awaitable[tuple[str, bool]]]


@dataclass
class WrittenRun:
    """A run of a task that remembers its events, its files, and the state it was told to keep."""

    request: AgentTask
    id: str = "task-1"
    state: Any = None
    attempt: int = 1
    secrets: Mapping[str, str] = field(default_factory=dict)
    caller: Caller = OPERATOR
    events: list[AnyTaskEvent] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    async def emit(self, *events: EmittedEvent, state: Any = None) -> None:
        """Remember events, and the state."""
        self.events += events
        if state is not None:
            self.state = state

    async def keep(self, name: str, data: bytes) -> None:
        """Remember a file."""
        self.files[name] = data

    async def kept(self, name: str) -> bytes:
        """A file that was kept."""
        return self.files[name]

    def of(self, kind: str) -> list[Any]:
        """Its events of one type."""
        return [event for event in self.events if event.type == kind]

    @property
    def text(self) -> str:
        """All that the model said."""
        return "".join(event.text for event in self.of("token"))


class TableOfTools:
    """Tools that are functions of these names."""

    def __init__(self, uses: Mapping[str, Use]) -> None:
        self._uses = uses
        self.used: list[tuple[str, Mapping[str, Any]]] = []
        self.packed = 0

    @property
    def offers(self) -> Sequence[ToolOffer]:
        """All of them, with whatever arguments."""
        return [ToolOffer(name, f"Does {name}.", {"type": "object"}) for name in self._uses]

    async def use(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """Call one."""
        self.used.append((name, arguments))
        return await self._uses[name](arguments)

    async def pack(self) -> None:
        """Count how often it was asked for."""
        self.packed += 1
