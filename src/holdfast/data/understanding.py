"""What a request means to a cell: the code, its values and its limits; or why the policy denies it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from holdfast.data.compiler import compile_plan
from holdfast.data.policy import SqlPolicy
from holdfast.data.query import DataQuery, data_limits
from holdfast.data.replay import VARIES
from holdfast.errors import InvalidFieldError, OverCeilingError, UnsupportedError
from holdfast.execution import Executor
from holdfast.types import DataLimits, DataRunRequest, Dataset, Denial, Limits
from holdfast.types.plan import parse_plan


@dataclass(frozen=True, slots=True)
class DataBounds:
    """The defaults and ceilings of data runs."""

    seconds: float
    max_seconds: float
    memory_bytes: int
    cpus: float
    rows: int
    max_rows: int
    output_bytes: int
    max_output_bytes: int
    python: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, within the bounds of the operator; SQL of it is not approved yet.

    `readable` is the SQL of a plan with its values in it, for people; it is never run.
    """

    dataset: Dataset
    mode: Literal["sql", "python"]
    code: str
    limits: DataLimits
    parameters: tuple[Any, ...] = ()
    readable: str | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """What to run."""

    query: DataQuery
    notes: tuple[str, ...] = ()


class Understanding:
    """Turns requests into what is run, within the bounds of the operator."""

    def __init__(self, executor: Executor, policy: SqlPolicy, bounds: DataBounds) -> None:
        self._executor = executor
        self._policy = policy
        self._bounds = bounds

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep the parser of SQL for the length of the block."""
        async with self._policy.open():
            yield

    def read(self, request: DataRunRequest, dataset: Dataset) -> Asked:
        """Raises InvalidFieldError for a plan that does not validate or compile, OverCeilingError, UnsupportedError."""
        limits = self._bounded(request)
        if request.python is not None:
            if not self._bounds.python:
                raise UnsupportedError(
                    "Python over data is switched off on this server; send SQL or a plan, or ask the operator for "
                    "HOLDFAST_ENABLE_PYTHON_EXECUTION.",
                    field="python",
                )
            return Asked(dataset, "python", request.python, limits)
        if request.plan is None:
            return Asked(dataset, "sql", request.sql or "", limits)
        compiled = compile_plan(parse_plan(_of_this(dataset, request.plan)), dataset)
        return Asked(dataset, "sql", compiled.sql, limits, tuple(compiled.parameters), compiled.readable_sql)

    async def judge(self, asked: Asked) -> Understood | Denial:
        """What is run of it: SQL only as the policy has approved it. Raises EngineError."""
        if asked.mode == "python":
            return Understood(_query(asked, asked.code))
        approved = await self._policy.check(asked.code, asked.dataset, parameters=bool(asked.parameters))
        if isinstance(approved, Denial):
            return approved
        return Understood(_query(asked, approved.sql), (VARIES,) if approved.varies else ())

    def _bounded(self, request: DataRunRequest) -> DataLimits:
        """Raises OverCeilingError."""
        bounds = self._bounds
        return DataLimits(
            sandbox=self._limits(_within("timeout", request.timeout, bounds.seconds, bounds.max_seconds)),
            max_rows=int(_within("max_rows", request.max_rows, bounds.rows, bounds.max_rows)),
            max_output_bytes=int(
                _within("max_output_bytes", request.max_output_bytes, bounds.output_bytes, bounds.max_output_bytes)
            ),
        )

    def _limits(self, seconds: float) -> Limits:
        capabilities, ceilings = self._executor.engine.capabilities, self._executor.bounds.ceilings
        limits = data_limits(self._executor.bounds, capabilities, seconds)
        changes: dict[str, Any] = {}
        if "memory_bytes" in capabilities.limits:
            memory = min(self._bounds.memory_bytes, ceilings.memory_bytes)
            changes |= {"memory_bytes": memory, "disk_bytes": min(limits.disk_bytes, memory * 3 // 4)}
        if "cpus" in capabilities.limits:
            changes["cpus"] = min(self._bounds.cpus, ceilings.cpus or self._bounds.cpus)
        return limits.model_copy(update=changes)


def _query(asked: Asked, code: str) -> DataQuery:
    limits = asked.limits
    return DataQuery(
        asked.mode,
        code,
        limits.sandbox,
        asked.parameters,
        asked.dataset.digest,
        max_rows=limits.max_rows,
        max_output_bytes=limits.max_output_bytes,
    )


def _within(field: str, asked: float | None, default: float, ceiling: float) -> float:
    if asked is None:
        return default
    if asked > ceiling:
        raise OverCeilingError(f"'{field}' is above this server's ceiling of {ceiling:,g}.", field=field)
    return asked


def _of_this(dataset: Dataset, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan, which may leave to the request what its dataset is. Raises InvalidFieldError."""
    if plan.get("dataset_id", dataset.id) != dataset.id:
        raise InvalidFieldError(
            "The plan is for another dataset than the request; leave 'dataset_id' out of one.", field="plan.dataset_id"
        )
    return {**plan, "dataset_id": dataset.id}
