"""Conversations: threads that belong to a key, the turn that goes on in each, and who follows it.

A turn is work of the server, not of a connection: whoever asked may come back and go on reading. Every event is in the
store before anybody is told it. A turn that nobody follows for a while is ended, and its cell with it.
"""

import secrets
import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup
from pydantic import TypeAdapter

from holdfast.agents.answers import answer_message, cancelled, response
from holdfast.agents.outcomes import Outcome, Question
from holdfast.agents.profiles import Profiles
from holdfast.agents.turn import Turns
from holdfast.data.datasets import DatasetLibrary
from holdfast.errors import HoldfastError, InternalError, OverCeilingError
from holdfast.store import Store
from holdfast.types import (
    Caller,
    ChatAbout,
    ChatEvent,
    ChatRequest,
    ChatResponse,
    ChatStatus,
    Message,
    MessageMetadata,
    Messages,
    Privacy,
    Stage,
    StopReason,
    Thread,
    Threads,
)

_EVENT: TypeAdapter[ChatEvent] = TypeAdapter(ChatEvent)
_ORDER = (Privacy.SCHEMA, Privacy.STATISTICS, Privacy.ROWS)


@dataclass
class _Live:
    """A turn that goes on."""

    thread: Thread
    turn_id: int
    request: ChatRequest
    caller: Caller
    state: dict[str, Any]
    seq: int
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    news: anyio.Event = field(default_factory=anyio.Event)
    events: list[dict[str, Any]] = field(default_factory=list)
    followers: int = 0
    response: ChatResponse | None = None
    failure: HoldfastError | None = None


class Conversations:
    """All threads, inside `open`."""

    def __init__(
        self,
        turns: Turns,
        datasets: DatasetLibrary,
        store: Store,
        profiles: Profiles,
        *,
        python: bool,
        grace_seconds: float,
    ) -> None:
        self._turns = turns
        self._datasets = datasets
        self._store = store
        self._profiles = profiles
        self._python = python
        self._grace_seconds = grace_seconds
        self._live: dict[str, _Live] = {}
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """For the length of the block, questions are answered; at its end all turns are cancelled."""
        failure: Exception | None = None
        async with anyio.create_task_group() as self._group:
            try:
                yield
            except Exception as error:
                # Raised outside of the group, which would wrap it.
                failure = error
            for live in tuple(self._live.values()):
                live.scope.cancel()
        self._group = None
        if self._turns.model is not None:
            with anyio.CancelScope(shield=True):
                await self._turns.model.aclose()
        if failure is not None:
            raise failure

    @property
    def about(self) -> ChatAbout:
        """Who answers here."""
        model, bounds = self._turns.model, self._turns.bounds
        return ChatAbout(
            planner="model" if model else "simple",
            provider=model.provider if model else None,
            model=model.name if model else None,
            privacy=bounds.privacy,
            python=self._python,
            history_window=bounds.history,
        )

    async def ask(self, request: ChatRequest, caller: Caller) -> ChatResponse:
        """The answer to a message; whoever is cancelled ends the turn.

        Raises NotFoundError, InvalidFieldError, ThreadBusyError and what data runs raise.
        """
        live = await self._begin(request, caller)
        live.followers += 1
        try:
            await live.over.wait()
        finally:
            live.scope.cancel()
        if live.failure is not None:
            raise live.failure
        assert live.response is not None
        return live.response

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[ChatEvent, None]:
        """The events of a turn as they happen; it goes on when its reader leaves. Raises what `ask` raises."""
        live = await self._begin(request, caller)
        async for event in self._followed(live, live.seq):
            yield event

    async def follow(self, thread_id: str, after: int | None, caller: Caller) -> AsyncGenerator[ChatEvent, None]:
        """The events after one, until the turn that goes on is done; without one, those of the last turn.

        Raises NotFoundError.
        """
        await self._store.threads.thread(thread_id, caller)
        live = self._live.get(thread_id)
        last = after or 0
        for body in await self._store.threads.events(thread_id, after):
            last = body["seq"]
            yield _EVENT.validate_python(body)
        if live is not None:
            async for event in self._followed(live, last):
                yield event

    async def cancel(self, thread_id: str, caller: Caller) -> Thread:
        """End the turn of a thread, if one goes on. Raises NotFoundError."""
        await self._store.threads.thread(thread_id, caller)
        live = self._live.get(thread_id)
        if live is not None:
            live.scope.cancel()
            await live.over.wait()
        return await self._store.threads.thread(thread_id, caller)

    async def forget(self, thread_id: str, caller: Caller) -> None:
        """Remove a thread; a turn of it is ended first. Raises NotFoundError."""
        await self.cancel(thread_id, caller)
        await self._store.threads.forget(thread_id, caller)

    async def thread(self, thread_id: str, caller: Caller) -> Thread:
        """Raises NotFoundError."""
        return await self._store.threads.thread(thread_id, caller)

    async def threads(self, caller: Caller, limit: int, before: str | None) -> Threads:
        """The threads that were used last. Raises NotFoundError for a `before` that is none."""
        found, following = await self._store.threads.latest(caller, limit, before)
        return Threads(threads=tuple(found), next=following)

    async def messages(self, thread_id: str, caller: Caller, limit: int) -> Messages:
        """The last messages of a thread. Raises NotFoundError."""
        found = await self._store.threads.messages(thread_id, caller, limit)
        return Messages(thread_id=thread_id, messages=tuple(found))

    async def _begin(self, request: ChatRequest, caller: Caller) -> _Live:
        self._check_privacy(request.privacy)
        await self._datasets.get(request.dataset_id, caller)
        thread_id = request.thread_id or f"thread-{secrets.token_hex(16)}"
        asked = Message(
            id=0,
            thread_id=thread_id,
            created_at=datetime.now(UTC),
            dataset_id=request.dataset_id,
            role="user",
            content=request.message,
            metadata=MessageMetadata(privacy=request.privacy),
        )
        thread, state = await self._store.threads.begin_turn(thread_id, request.dataset_id, asked, caller)
        assert thread.running is not None
        assert self._group is not None, "the conversations are not open"
        live = _Live(thread, thread.running, request, caller, state, thread.last_event)
        self._live[thread_id] = live
        self._group.start_soon(self._perform, live)
        return live

    def _check_privacy(self, wanted: Privacy | None) -> None:
        if wanted is not None and _ORDER.index(wanted) > _ORDER.index(self._turns.bounds.privacy):
            raise OverCeilingError(
                f"'privacy' is above what this server tells a model, '{self._turns.bounds.privacy}' "
                "(HOLDFAST_CHAT_PRIVACY).",
                field="privacy",
            )

    async def _perform(self, live: _Live) -> None:
        outcome: Outcome | None = None
        try:
            with live.scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._end_when_nobody_follows, live)
                    try:
                        outcome = await self._answered(live)
                    except HoldfastError as error:
                        live.failure = error
                    except Exception as error:
                        # Only where it happened: what it was about are words of others.
                        where = "".join(traceback.format_tb(error.__traceback__))
                        structlog.get_logger().error("a turn failed", reason=type(error).__name__, where=where)
                        live.failure = InternalError("The server failed in a way nobody foresaw; its log has more.")
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await self._end(live, outcome)
                except Exception as error:
                    live.failure = live.failure or (
                        error if isinstance(error, HoldfastError) else InternalError(str(error))
                    )
                finally:
                    del self._live[live.thread.thread_id]
                    live.over.set()
                    live.news.set()

    async def _answered(self, live: _Live) -> Outcome:
        request, thread_id = live.request, live.thread.thread_id
        dataset = await self._datasets.get(request.dataset_id, live.caller)
        privacy = request.privacy or self._turns.bounds.privacy
        schema = await self._datasets.schema(request.dataset_id, live.caller) if privacy is Privacy.ROWS else None
        before = await self._store.threads.messages(thread_id, live.caller, self._turns.bounds.history + 1)
        question = Question(
            text=request.message,
            dataset=dataset,
            schema=schema,
            profile=lambda: self._profiles.of(dataset),
            caller=live.caller,
            history=[message for message in before if message.id != live.turn_id],
            state=live.state if live.state.get("dataset") in (None, dataset.id) else {},
            privacy=privacy,
            max_rows=request.max_rows,
        )
        return await self._turns.answer(question, _Telling(self, live))

    async def _end(self, live: _Live, outcome: Outcome | None) -> None:
        """Keep the answer, and say that it is over."""
        status, stop, run_id = ChatStatus.FAILED, StopReason.INTERNAL, None
        if live.failure is None:
            outcome = outcome or cancelled()
            state = {**outcome.state, "dataset": live.request.dataset_id}
            answer = answer_message(live.thread.thread_id, live.request.dataset_id, outcome)
            number = await self._store.threads.end_turn(live.thread.thread_id, answer, state)
            live.response = response(live.thread.thread_id, live.turn_id, number, live.request.dataset_id, outcome)
            status, stop, run_id = live.response.status, outcome.stop, live.response.run_id
            await self._tell(live, {"type": "token", "content": outcome.message})
            await self._tell(live, {"type": "result", **live.response.model_dump(mode="json")})
        else:
            await self._store.threads.end_turn(live.thread.thread_id, None, live.state)
            await self._tell(live, {"type": "error", "code": live.failure.code, "message": live.failure.detail})
        names = {"thread_id": live.thread.thread_id, "turn_id": live.turn_id, "run_id": run_id}
        await self._tell(live, {"type": "done", **names, "status": str(status), "stop_reason": str(stop)})

    async def _tell(self, live: _Live, body: dict[str, Any]) -> None:
        """Keep an event, then let those who follow know."""
        live.seq += 1
        event = {**body, "seq": live.seq}
        await self._store.threads.add_events(live.thread.thread_id, live.turn_id, [event])
        live.events.append(event)
        live.news.set()
        live.news = anyio.Event()

    async def _followed(self, live: _Live, after: int) -> AsyncGenerator[ChatEvent, None]:
        live.followers += 1
        told = 0
        try:
            while True:
                news, over = live.news, live.over.is_set()
                while told < len(live.events):
                    event = live.events[told]
                    told += 1
                    if event["seq"] > after:
                        yield _EVENT.validate_python(event)
                if over:
                    return
                await news.wait()
        finally:
            live.followers -= 1

    async def _end_when_nobody_follows(self, live: _Live) -> None:
        """A reader that comes back within the grace finds the turn as it left it."""
        alone = 0.0
        while True:
            await anyio.sleep(self._grace_seconds / 4)
            alone = 0.0 if live.followers else alone + self._grace_seconds / 4
            if alone >= self._grace_seconds:
                live.scope.cancel()
                return


class _Telling:
    """What a turn does, as events."""

    def __init__(self, conversations: Conversations, live: _Live) -> None:
        self._conversations = conversations
        self._live = live
        self._calls = 0

    async def stage(self, stage: Stage, detail: str = "") -> None:
        names = {"thread_id": self._live.thread.thread_id, "turn_id": self._live.turn_id}
        await self._conversations._tell(self._live, {"type": "status", "stage": stage.value, "detail": detail, **names})

    async def calls(self, name: str, given: dict[str, Any]) -> str:
        self._calls += 1
        call_id = f"call-{self._live.turn_id}-{self._calls}"
        await self._conversations._tell(
            self._live, {"type": "tool_call", "call_id": call_id, "name": name, "input": given}
        )
        return call_id

    async def called(self, call_id: str, name: str, output: dict[str, Any]) -> None:
        await self._conversations._tell(
            self._live, {"type": "tool_result", "call_id": call_id, "name": name, "output": output}
        )
