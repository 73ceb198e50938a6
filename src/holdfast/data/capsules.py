"""What a capsule says: before its run, and once it is known what that came to."""

import hashlib
import json
import re
import secrets
from datetime import UTC, datetime
from functools import cache
from platform import python_version
from typing import Any

from holdfast.data.query import DataAnswer
from holdfast.data.understanding import Asked
from holdfast.errors import HoldfastError
from holdfast.guest_environment import lock_text
from holdfast.types import (
    Capsule,
    CapsuleError,
    CapsuleStatus,
    DataRunRequest,
    Denial,
    Table,
)
from holdfast.types.states import words_of_program

_ID_BYTES = 16
_LIBRARIES = frozenset({"duckdb", "numpy", "pandas", "pyarrow"})
_PINNED = re.compile(r"^([a-z0-9-]+)==([^ \\]+)", re.M)


def begun(asked: Asked, request: DataRunRequest, key: str | None, replay_of: str | None) -> Capsule:
    """The capsule of a run that waits for its turn."""
    return Capsule(
        run_id=f"run-{secrets.token_hex(_ID_BYTES)}",
        created_at=datetime.now(UTC),
        dataset_id=asked.dataset.id,
        dataset_version_hash=asked.dataset.digest,
        question=request.question,
        query_mode=request.mode,
        plan_json=request.plan,
        compiled_sql=asked.readable or request.sql,
        python_code=request.python,
        status=CapsuleStatus.QUEUED,
        key=key,
        limits=asked.limits,
        libraries=libraries(),
        replay_of=replay_of,
    )


def rejected(capsule: Capsule, denial: Denial) -> Capsule:
    """The capsule of what the policy denies."""
    error = CapsuleError(
        code=denial.code.value,
        message=denial.message,
        name=denial.name,
        position=denial.position,
        hint=denial.hint,
    )
    return _over(capsule, status=CapsuleStatus.REJECTED, error=error)


def answered(capsule: Capsule, answer: DataAnswer) -> Capsule:
    """The capsule of a run that came to an answer."""
    words, run, error = words_of_program(answer.status), answer.run, None
    if answer.error is not None:
        said = answer.error
        error = CapsuleError(code=words.code or said.type, message=said.message, line=said.line, hint=said.hint or None)
    return _over(
        capsule,
        status=words.capsule,
        result=answer.table,
        error=error,
        exec_time_ms=answer.exec_ms,
        stdout=run.stdout,
        stderr=run.stderr,
        notes=(*capsule.notes, *answer.notes, *run.notes),
        figures=run.artifacts,
        engine=run.isolation.engine,
        isolation=run.isolation,
        usage=run.usage,
        result_hash=None if answer.table is None else hash_of(answer.table),
    )


def cancelled(capsule: Capsule) -> Capsule:
    """The capsule of a run that was ended, or whose client left."""
    error = CapsuleError(code="cancelled", message="It was cancelled before it was done.")
    return _over(capsule, status=CapsuleStatus.CANCELLED, error=error)


def broken(capsule: Capsule, failure: Exception) -> Capsule:
    """The capsule of a run that we failed."""
    code = failure.code if isinstance(failure, HoldfastError) else "internal"
    message = failure.detail if isinstance(failure, HoldfastError) else "Something went wrong in the server."
    return _over(capsule, status=CapsuleStatus.FAILED, error=CapsuleError(code=code, message=message))


def asked_again(capsule: Capsule) -> DataRunRequest:
    """The request that a capsule is the record of."""
    limits = capsule.limits
    return DataRunRequest(
        dataset_id=capsule.dataset_id,
        plan=capsule.plan_json,
        sql=capsule.compiled_sql if capsule.query_mode == "sql" else None,
        python=capsule.python_code,
        question=capsule.question,
        timeout=None if limits is None else limits.sandbox.wall_seconds,
        max_rows=None if limits is None else limits.max_rows,
        max_output_bytes=None if limits is None else limits.max_output_bytes,
    )


def hash_of(table: Table) -> str:
    """Names columns, types, rows and how many there are: equal tables have equal ones."""
    said = [table.columns, table.column_types, table.rows, table.total_rows]
    return f"sha256:{hashlib.sha256(json.dumps(said, separators=(',', ':')).encode()).hexdigest()}"


@cache
def libraries() -> dict[str, str]:
    """The versions of what makes answers."""
    found = {name: version for name, version in _PINNED.findall(lock_text()) if name in _LIBRARIES}
    return {"python": python_version(), **found}


def _over(capsule: Capsule, **changes: Any) -> Capsule:
    return capsule.model_copy(update={"ended_at": datetime.now(UTC), **changes})
