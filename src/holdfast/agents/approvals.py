"""Calls that a person allows, one by one: an approval is of one call with exactly its arguments."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from holdfast.agents.turns import ToolCall

ACTING = frozenset({"shell", "write_file", "run_code"})
"""The tools that change something or run something; the others only look."""


def approval_id(task_id: str, call: ToolCall) -> str:
    """The name of an approval: nobody can use it for another task, another call or other arguments."""
    exact = json.dumps([task_id, call.id, call.name, call.arguments], sort_keys=True)
    return f"approval-{hashlib.sha256(exact.encode()).hexdigest()[:32]}"


def decision(decided: Mapping[str, Any], task_id: str, call: ToolCall) -> bool | None:
    """Whether it was allowed; `None` when nobody has said."""
    said = decided.get(approval_id(task_id, call))
    return None if said is None else bool(said)
