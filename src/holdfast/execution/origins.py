"""On whose behalf something runs, and the record a run leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.errors import HoldfastError
from holdfast.execution.record import Run
from holdfast.types import RunKind, RunRecord, Status


@dataclass(frozen=True, slots=True)
class Origin:
    """What runs are for, the name of the key that asked for them, and the digest of that key."""

    kind: RunKind = RunKind.RUN
    key: str | None = None
    owner: str | None = None


_NOBODY = Origin()
_ORIGIN: ContextVar[Origin] = ContextVar("origin", default=_NOBODY)
"""Set once per request instead of passed through all that runs something."""

OnEnd = Callable[[RunRecord, str | None], None]
"""Takes the record of a run and its owner; it must not wait."""


@contextmanager
def on_behalf_of(key: str, owner: str) -> Iterator[None]:
    """All that is run in the block belongs to this key."""
    token = _ORIGIN.set(replace(_ORIGIN.get(), key=key, owner=owner))
    try:
        yield
    finally:
        _ORIGIN.reset(token)


def owner_of_this() -> str | None:
    """The digest of the key on whose behalf this happens."""
    return _ORIGIN.get().owner


@contextmanager
def runs_of(kind: RunKind) -> Iterator[None]:
    """All that is run in the block is of this kind."""
    token = _ORIGIN.set(replace(_ORIGIN.get(), kind=kind))
    try:
        yield
    finally:
        _ORIGIN.reset(token)


@contextmanager
def recorded(run: Run, on_end: OnEnd, kind: RunKind | None = None) -> Iterator[None]:
    """Leave a record of a run that had a place, however the block ends."""
    origin, code = _ORIGIN.get(), None
    origin = origin if kind is None else replace(origin, kind=kind)
    try:
        yield
    except HoldfastError as error:
        code = error.code
        raise
    finally:
        if run.admitted:
            on_end(_record(run, origin, code), origin.owner)


def _record(run: Run, origin: Origin, code: str | None) -> RunRecord:
    result = run.result
    without = Status.CANCELLED if code is None else Status.FAILED
    return RunRecord(
        run_id=run.id,
        kind=origin.kind,
        key=origin.key,
        image=run.spec.language,
        status=without if result is None else result.status,
        code=code,
        exit_code=None if result is None else result.exit_code,
        usage=None if result is None else result.usage,
        isolation=run.isolation if result is None else result.isolation,
        created_at=run.created_at,
        ended_at=datetime.now(UTC),
    )
