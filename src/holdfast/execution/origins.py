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
    """What runs are for, the name of the key that asked for them, and the digest of that key.

    Runs that are not `recorded` have a record of another kind, which whoever began them keeps.
    """

    kind: RunKind = RunKind.RUN
    key: str | None = None
    owner: str | None = None
    recorded: bool = True


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
def recorded_elsewhere() -> Iterator[None]:
    """Whoever runs something in the block keeps its record."""
    token = _ORIGIN.set(replace(_ORIGIN.get(), recorded=False))
    try:
        yield
    finally:
        _ORIGIN.reset(token)


def origin() -> Origin:
    """On whose behalf we are."""
    return _ORIGIN.get()


@contextmanager
def recorded(run: Run, on_end: OnEnd, kind: RunKind | None = None) -> Iterator[None]:
    """Leave a record of a run that had a place, however the block ends."""
    whose, code = _ORIGIN.get(), None
    whose = whose if kind is None else replace(whose, kind=kind)
    try:
        yield
    except HoldfastError as error:
        code = error.code
        raise
    finally:
        if run.admitted and whose.recorded:
            on_end(_record(run, whose, code), whose.owner)


def _record(run: Run, whose: Origin, code: str | None) -> RunRecord:
    result = run.result
    without = Status.CANCELLED if code is None else Status.FAILED
    return RunRecord(
        run_id=run.id,
        kind=whose.kind,
        key=whose.key,
        image=run.spec.language,
        status=without if result is None else result.status,
        code=code,
        exit_code=None if result is None else result.exit_code,
        usage=None if result is None else result.usage,
        isolation=run.isolation if result is None else result.isolation,
        created_at=run.created_at,
        ended_at=datetime.now(UTC),
    )
