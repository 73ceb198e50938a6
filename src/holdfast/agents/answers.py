"""The outcome of a turn as it is sent, and as it is kept."""

from datetime import UTC, datetime

from holdfast.agents.outcomes import Outcome
from holdfast.data.charting import chosen, specification
from holdfast.types import (
    Capsule,
    Chart,
    ChatDetails,
    ChatResponse,
    ChatStatus,
    ChatTable,
    Message,
    MessageMetadata,
    StopReason,
)

_TRUNCATED = 65_536


def cancelled() -> Outcome:
    """A turn that was ended before it came to anything."""
    return Outcome(ChatStatus.CANCELLED, StopReason.CANCELLED, "Cancelled before there was an answer.")


def response(thread_id: str, turn_id: int, message_id: int | None, dataset_id: str, outcome: Outcome) -> ChatResponse:
    """The answer as it is sent."""
    capsule = outcome.capsule
    return ChatResponse(
        thread_id=thread_id,
        turn_id=turn_id,
        message_id=message_id,
        assistant_message=outcome.message,
        status=outcome.status,
        run_id=None if capsule is None else capsule.run_id,
        result=_table(outcome),
        details=_details(dataset_id, outcome),
        clarification=outcome.clarification,
        chart=None if capsule is None else chart_of(capsule),
        numbers=outcome.checks,
        usage=outcome.usage,
    )


def answer_message(thread_id: str, dataset_id: str, outcome: Outcome) -> Message:
    """The answer as it is kept."""
    capsule = outcome.capsule
    chart = None if capsule is None else chart_of(capsule)
    table = None if capsule is None else capsule.result
    return Message(
        id=0,
        thread_id=thread_id,
        created_at=datetime.now(UTC),
        dataset_id=dataset_id,
        role="assistant",
        content=outcome.message,
        run_id=None if capsule is None else capsule.run_id,
        metadata=MessageMetadata(
            status=outcome.status,
            stop_reason=outcome.stop,
            planner=outcome.planner,
            query_mode="chat" if capsule is None else capsule.query_mode,
            error=outcome.error,
            clarification=outcome.clarification,
            chart=None if chart is None else chart.choice,
            numbers=outcome.checks,
            usage=outcome.usage,
            explanation=outcome.explanation,
            attempts=outcome.attempts,
            total_rows=None if table is None else table.total_rows,
        ),
    )


def chart_of(capsule: Capsule) -> Chart | None:
    """A chart that suits the result of a run, if one does."""
    choice = None if capsule.result is None else chosen(capsule.result)
    if choice is None or capsule.result is None:
        return None
    return Chart(run_id=capsule.run_id, choice=choice, spec=specification(choice, capsule.result))


def _table(outcome: Outcome) -> ChatTable:
    capsule = outcome.capsule
    if capsule is None:
        return ChatTable(error=outcome.error)
    kept = {} if capsule.result is None else capsule.result.model_dump()
    return ChatTable(
        **kept,
        exec_time_ms=capsule.exec_time_ms or 0.0,
        error=outcome.error,
        stdout_trunc=capsule.stdout[:_TRUNCATED],
        stderr_trunc=capsule.stderr[:_TRUNCATED],
    )


def _details(dataset_id: str, outcome: Outcome) -> ChatDetails:
    capsule = outcome.capsule
    run = {} if capsule is None else capsule.model_dump(include={"plan_json", "compiled_sql", "python_code", "notes"})
    return ChatDetails(
        dataset_id=dataset_id,
        query_mode="chat" if capsule is None else capsule.query_mode,
        planner=outcome.planner,
        explanation=outcome.explanation,
        attempts=outcome.attempts,
        stop_reason=outcome.stop,
        **run,
    )
