"""Calls that a person allows, one by one: an approval is of one call with exactly its arguments."""

import hashlib
import json

from holdfast.agents.model import ToolCall

ACTING = frozenset({"shell", "write_file", "run_code"})
"""The tools that change something or run something; the others only look."""


def approval_id(task_id: str, place: tuple[int, int], call: ToolCall) -> str:
    """The name of an approval: nobody can use it for another task, another call or other arguments, nor twice.

    `place` is the turn and the number of the call in it: what a provider calls its calls need not tell them apart.
    """
    exact = json.dumps([task_id, place, call.id, call.name, call.arguments], sort_keys=True)
    return f"approval-{hashlib.sha256(exact.encode()).hexdigest()[:32]}"
