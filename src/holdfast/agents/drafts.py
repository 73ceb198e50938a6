"""What a model answers with: a query, a question to the user, or words; and how that is got out of what it wrote."""

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.agents.model import ToolOffer, Turn
from holdfast.errors import HoldfastError
from holdfast.types import QueryPlan
from holdfast.types.plan import parse_plan

_FENCE = re.compile(r"```(\w*)[ \t]*\n(.*?)```", re.DOTALL)
_SQL = re.compile(r"^\s*(SELECT|WITH|FROM)\b", re.IGNORECASE)
TOOL_NAME = "answer"


class Draft(BaseModel):
    """What a model wants. Unknown fields are left out: models invent them."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["plan", "sql", "python", "clarify", "reply"]
    plan: dict[str, Any] | None = None
    sql: str | None = Field(default=None, max_length=100_000)
    python: str | None = Field(default=None, max_length=100_000)
    message: str = Field(default="", max_length=8_000)
    options: list[str] = Field(default_factory=list, max_length=8)

    @property
    def query(self) -> dict[str, Any] | None:
        """The fields of a data run, if it is one."""
        if self.kind not in ("plan", "sql", "python"):
            return None
        return {self.kind: getattr(self, self.kind)}


class Misfit(ValueError):
    """What a model wrote is no draft; the sentence is for the model."""


def tool(*, python: bool) -> ToolOffer:
    """The one tool of the planner."""
    kinds = ["plan", "sql", *(["python"] if python else []), "clarify", "reply"]
    plan = QueryPlan.model_json_schema()
    definitions = plan.pop("$defs", {})
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {"type": "string", "enum": kinds},
            "plan": plan,
            "sql": {"type": "string"},
            "message": {"type": "string"},
            "options": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
        },
        "$defs": definitions,
    }
    if python:
        schema["properties"]["python"] = {"type": "string"}
    return ToolOffer(TOOL_NAME, "Answer the user's question with a query, a question, or words.", schema)


def read(turn: Turn) -> Draft:
    """The draft of an answer, out of its call, its JSON or its SQL. Raises Misfit."""
    if not turn.calls:
        return _out_of_text(turn.text)
    arguments = turn.calls[0].arguments
    if arguments is None:
        raise Misfit("That is not one JSON object.")
    return _drafted(arguments)


def _out_of_text(text: str) -> Draft:
    fences = [(kind.lower(), body) for kind, body in _FENCE.findall(text)]
    for kind, body in fences:
        if kind == "sql" or _SQL.match(body):
            return Draft(kind="sql", sql=body.strip())
        if kind in ("python", "py"):
            return Draft(kind="python", python=body.strip())
    for body in [*(body for _, body in fences), *_objects(text)]:
        try:
            return _parsed(body)
        except Misfit:
            continue
    if _SQL.match(text):
        return Draft(kind="sql", sql=text.strip())
    raise Misfit("Call the tool `answer`, or write one JSON object with `kind`, and nothing else.")


def _objects(text: str) -> list[str]:
    start, end = text.find("{"), text.rfind("}")
    return [text[start : end + 1]] if 0 <= start < end else []


def _parsed(text: str) -> Draft:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Misfit("That is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Misfit("Write one JSON object.")
    return _drafted(value)


def _drafted(value: dict[str, Any]) -> Draft:
    arguments = value.get("arguments")
    value = arguments if isinstance(arguments, dict) else value
    try:
        draft = Draft.model_validate(_with_kind(value))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise Misfit(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}.") from None
    return _complete(draft)


def _with_kind(value: dict[str, Any]) -> dict[str, Any]:
    """A query without its `kind` says by its field what it is; one that is a plan itself is one."""
    if "kind" in value:
        return value
    if "table" in value and "sql" not in value:
        return {"kind": "plan", "plan": value}
    kind = next((kind for kind in ("plan", "sql", "python") if value.get(kind)), "reply")
    return {**value, "kind": kind}


def _complete(draft: Draft) -> Draft:
    if draft.kind in ("clarify", "reply") and not draft.message.strip():
        raise Misfit("message: it is empty.")
    if draft.kind in ("plan", "sql", "python") and not getattr(draft, draft.kind):
        raise Misfit(f"{draft.kind}: it is missing.")
    if draft.kind == "plan":
        try:
            parse_plan({"dataset_id": "any", **(draft.plan or {})})
        except HoldfastError as error:
            raise Misfit(error.detail) from None
    return draft
