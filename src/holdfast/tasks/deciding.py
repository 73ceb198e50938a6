"""Tasks that wait to be allowed something: put aside by their worker, and gone on with when somebody has decided."""

from holdfast.errors import NotFoundError
from holdfast.store.appending import Append
from holdfast.tasks.claims import Claimed, instant, status_of
from holdfast.tasks.events import QUEUE, NotOursError, new_event, now
from holdfast.tasks.handling import TaskWaitsError
from holdfast.tasks.queue import CANCELLED, UNCLAIMED, TaskQueue
from holdfast.types import (
    OPERATOR,
    ApprovalDecision,
    ApprovalEvent,
    Caller,
    StatusEvent,
    Task,
    TaskStatus,
)


async def put_aside(queue: TaskQueue, claimed: Claimed, waits: TaskWaitsError) -> None:
    """Let go of a task until somebody has decided what it asks. Nothing is done if it was taken away."""
    waiting = StatusEvent(status=TaskStatus.WAITING, reason=f"{waits.asked.tool_name} is to be allowed or denied.")
    decided = {} if claimed.state is None else claimed.state.get("decided", {})
    asked = waits.asked.model_dump(mode="json", include={"approval_id", "tool_name", "args"})
    changes = {
        **UNCLAIMED,
        "status": TaskStatus.WAITING.value,
        "state": {"kept": waits.kept, "asked": asked, "decided": decided},
        "attempts": claimed.attempt - 1,
    }
    # Whoever cancels meanwhile has said so in the row.
    del changes["cancelling"]
    events = [new_event(waits.asked), new_event(waiting)]
    try:
        await queue.events.append(Append(claimed.task_id, claimed.claim, instant(now()), events, changes))
    except NotOursError:
        return
    row = await queue.seen(claimed.task_id, OPERATOR)
    if row["cancelling"]:
        await queue.end_unless(Append(claimed.task_id, None, instant(now())), CANCELLED)


async def decide(queue: TaskQueue, task_id: str, approval_id: str, decision: ApprovalDecision, caller: Caller) -> Task:
    """Allow or deny what a task asks, which then goes on. Raises NotFoundError."""
    row = await queue.seen(task_id, caller)
    # Only who was put aside asks here; who waits with a worker of its own has a state of its own kind.
    aside = status_of(row) is TaskStatus.WAITING and row["claim"] is None
    state = row["state"] if aside else {}
    asked = state.get("asked", {})
    if asked.get("approval_id") != approval_id:
        raise _not_asked()
    told = ApprovalEvent(**asked, state="approved" if decision.approved else "denied")
    changes = {
        "status": TaskStatus.QUEUED.value,
        "state": {**state, "asked": {}, "decided": {**state["decided"], approval_id: decision.approved}},
    }
    events = [new_event(told), new_event(StatusEvent(status=TaskStatus.QUEUED))]
    try:
        await queue.events.append(Append(task_id, None, instant(now()), events, changes, expected=row["events"]))
    except NotOursError:
        raise _not_asked() from None
    queue.bells.ring(QUEUE)
    return await queue.get(task_id, caller)


def _not_asked() -> NotFoundError:
    return NotFoundError(
        "Nothing of that id waits to be allowed; the approval events of the task say what does.", field="approval_id"
    )
