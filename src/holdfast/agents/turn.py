"""One turn: who plans the query, the runs it takes, and the answer that is given of them."""

import json
from typing import Any

import anyio

from holdfast.agents import numbers, prose, suggested
from holdfast.agents.model import LanguageModel
from holdfast.agents.outcomes import (
    ChatBounds,
    Outcome,
    Question,
    Teller,
    asking,
    last_run,
    option_chosen,
    query_text,
    refused,
    told,
)
from holdfast.agents.planning import Planning
from holdfast.agents.simple import Choice, NotSure, Unclear, plan_question
from holdfast.data.runs import DataRuns
from holdfast.errors import InvalidFieldError
from holdfast.types import Capsule, DataRunRequest, Planner, Stage, StopReason

_TOOLS = {"plan": "execute_query_plan", "sql": "execute_sql", "python": "execute_python"}
_WITHOUT_A_MODEL = (
    "No language model is configured here, and my rules for simple questions are not sure about this one. {reason} "
    "Ask in other words, or write SQL: … or PYTHON: …"
)
_QUERY_MISSING = "SQL: and PYTHON: are followed by a query."


class Turns:
    """Answers questions, one at a time each."""

    def __init__(self, data: DataRuns, model: LanguageModel | None, bounds: ChatBounds) -> None:
        self._data = data
        self.model = model
        self.bounds = bounds

    async def answer(self, question: Question, teller: Teller) -> Outcome:
        """Raises HoldfastError when the server fails; whatever the question does is an outcome."""
        await teller.stage(Stage.PLANNING)
        outcome = await self._outcome(question, teller)
        if outcome.capsule is not None:
            said_before = (question.text, query_text(outcome.capsule))
            outcome.checks = numbers.check(outcome.message, outcome.capsule.result, *said_before)
            outcome.state = {"last": last_run(outcome.capsule, question.privacy), **outcome.state}
        return outcome

    async def _outcome(self, question: Question, teller: Teller) -> Outcome:
        mode, _, rest = question.text.strip().partition(":")
        if mode.strip().lower() in ("sql", "python") and _:
            return await self._as_written(question, mode.strip().lower(), rest.strip(), teller)
        pending = question.state.get("pending") or {}
        if chosen := option_chosen(question.text, pending):
            return await self._simply(question, pending["question"], chosen, teller)
        if (sql := suggested.query_for(question.text, question.dataset)) is not None:
            return await self._run_once(question, {"sql": sql}, Planner.SUGGESTED, teller)
        if self.model is None:
            return await self._simply(question, question.text, {}, teller)
        return await Planning(self.run, self.model, self.bounds, question, teller).outcome()

    async def _as_written(self, question: Question, mode: str, query: str, teller: Teller) -> Outcome:
        planner = Planner.SQL if mode == "sql" else Planner.PYTHON
        if not query:
            return refused(planner, "validation_error", _QUERY_MISSING, StopReason.QUERY_FAILED)
        return await self._run_once(question, {mode: query}, planner, teller)

    async def _simply(self, question: Question, text: str, chosen: dict[str, Choice], teller: Teller) -> Outcome:
        """By the rules for simple questions, which say when they are not sure."""
        profile = await question.profile()
        try:
            planned = await anyio.to_thread.run_sync(plan_question, text, question.dataset, profile, chosen)
        except Unclear as unclear:
            return asking(text, chosen, unclear)
        except NotSure as reason:
            sentence = _WITHOUT_A_MODEL.format(reason=reason)
            return refused(Planner.SIMPLE, "not_sure", sentence, StopReason.NOT_SURE)
        outcome = await self._run_once(question, {"plan": planned.plan}, Planner.SIMPLE, teller)
        outcome.explanation = planned.explanation
        return outcome

    async def _run_once(self, question: Question, query: dict[str, Any], planner: Planner, teller: Teller) -> Outcome:
        try:
            capsule = await self.run(question, query, teller)
        except InvalidFieldError as error:
            return refused(planner, error.code, prose.failure(error.detail), StopReason.QUERY_FAILED)
        await teller.stage(Stage.ANSWERING)
        return told(capsule, planner)

    async def run(self, question: Question, query: dict[str, Any], teller: Teller) -> Capsule:
        """One data run. Raises InvalidFieldError for a query that means nothing, HoldfastError."""
        ((kind, body),) = query.items()
        name = _TOOLS[kind]
        call_id = await teller.calls(name, {kind: body})
        await teller.stage(Stage.VALIDATING)

        async def begun(capsule: Capsule) -> None:
            await teller.stage(Stage.EXECUTING, capsule.run_id)

        wanted = DataRunRequest(
            dataset_id=question.dataset.id, question=question.text, max_rows=question.max_rows, **query
        )
        try:
            capsule = await self._data.run(wanted, question.caller, on_begin=begun)
        except InvalidFieldError as error:
            await teller.called(call_id, name, {"status": "rejected", "error": {"message": error.detail}})
            raise
        await teller.called(call_id, name, _output(capsule))
        return capsule


def _output(capsule: Capsule) -> dict[str, Any]:
    table = capsule.result
    shape = (
        {}
        if table is None
        else {"columns": table.columns, "row_count": table.row_count, "total_rows": table.total_rows}
    )
    error = {} if capsule.error is None else {"error": json.loads(capsule.error.model_dump_json(exclude_none=True))}
    return {
        "run_id": capsule.run_id,
        "status": str(capsule.status),
        "compiled_sql": capsule.compiled_sql,
        **shape,
        **error,
    }
