"""What an agent has used up of what it may, and the closed list of reasons for which it is ended."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.agents.model import ToolAnswer, Turn
from holdfast.tasks import TaskFailedError
from holdfast.types import AgentStop, AgentTask

SAME_AGAIN = 3
"""So many turns in a row that ask for the same and learn the same are no progress."""


@dataclass(slots=True)
class Ledger:
    """Counts, and raises TaskFailedError when something is used up. Seconds of waiting for people are not counted."""

    turns: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    tool_calls: int = 0
    seconds: float = 0.0
    last: str = ""
    repeats: int = 0
    _since: float | None = None

    @classmethod
    def restore(cls, dumped: dict[str, Any]) -> "Ledger":
        """From what `dump` gave."""
        return cls(**dumped)

    def dump(self) -> dict[str, Any]:
        """What was used so far, as JSON."""
        spent = asdict(self)
        del spent["_since"]
        return {**spent, "seconds": self.worked}

    def begin(self) -> None:
        """Work begins, or goes on."""
        self._since = time.monotonic()

    @property
    def worked(self) -> float:
        """Seconds of work so far."""
        return self.seconds + (0.0 if self._since is None else time.monotonic() - self._since)

    def seconds_left(self, asked: AgentTask) -> float | None:
        """How long it may still work; `None` is as long as the task may take."""
        limit = asked.budget.working_seconds
        return None if limit is None else max(limit - self.worked, 0.0)

    def before_turn(self, asked: AgentTask) -> None:
        """Another turn is about to be asked for."""
        budget = asked.budget
        if self.turns >= asked.max_turns:
            raise _ended(AgentStop.MAX_TURNS, f"The agent did not finish within {asked.max_turns} turns (max_turns).")
        if budget.tokens is not None and self.tokens >= budget.tokens:
            raise _ended(AgentStop.TOKEN_BUDGET, f"{self.tokens:,} tokens were used of {budget.tokens:,}.")
        if budget.cost_usd is not None and self.cost_usd >= budget.cost_usd:
            raise _ended(AgentStop.COST_BUDGET, f"${self.cost_usd:.4f} was spent of ${budget.cost_usd:g}.")
        self.turns += 1

    def after_turn(self, asked: AgentTask, turn: Turn) -> None:
        """A turn has come, and cost something."""
        self.tokens += turn.input_tokens + turn.output_tokens
        if turn.cost_usd is not None:
            self.cost_usd += turn.cost_usd
        elif asked.budget.cost_usd is not None:
            # A limit that cannot be kept is none.
            raise _ended(AgentStop.COST_BUDGET, "The price of this model is not known, so cost_usd cannot be kept.")

    def before_call(self, asked: AgentTask) -> None:
        """A tool is about to be used."""
        most = asked.budget.tool_calls
        if most is not None and self.tool_calls >= most:
            raise _ended(AgentStop.TOOL_CALL_BUDGET, f"The agent has used its tools {most} times (budget.tool_calls).")
        self.tool_calls += 1

    def after_calls(self, answers: Sequence[ToolAnswer]) -> None:
        """What a turn has asked for is done."""
        same = repr([(each.call.name, each.call.arguments, each.text) for each in answers])
        self.repeats = self.repeats + 1 if same == self.last else 1
        self.last = same
        if self.repeats >= SAME_AGAIN:
            raise _ended(AgentStop.STUCK, f"The agent has done the same {SAME_AGAIN} times with the same outcome.")


def _ended(stop: AgentStop, message: str) -> TaskFailedError:
    return TaskFailedError(stop.value, message)
