"""What a request means to a cell: the code, its values and its limits; or why the policy denies it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from holdfast.data.compiler import compile_plan
from holdfast.data.policy import SqlPolicy
from holdfast.data.query import DataQuery, data_limits
from holdfast.data.replay import VARIES
from holdfast.errors import InvalidFieldError, OverCeilingError, UnsupportedError
from holdfast.execution import Executor
from holdfast.types import DataRunRequest, Dataset, Denial, Limits
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
class Understood:
    """What to run. `readable` is the SQL with its values in it, for people; it is never run."""

    query: DataQuery
    readable: str | None = None
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

    async def of(self, request: DataRunRequest, dataset: Dataset) -> Understood | Denial:
        """Raises InvalidFieldError for a plan that does not validate or compile, and for limits above a ceiling."""
        bounded = self._bounded(request)
        if request.python is not None:
            if not self._bounds.python:
                raise UnsupportedError(
                    "Python over data is switched off on this server; send SQL or a plan, or ask the operator for "
                    "HOLDFAST_ENABLE_PYTHON_EXECUTION.",
                    field="python",
                )
            return Understood(DataQuery("python", request.python, dataset=dataset.digest, **bounded))
        if request.plan is not None:
            compiled = compile_plan(parse_plan(_of_this(dataset, request.plan)), dataset)
            sql, parameters, readable = compiled.sql, compiled.parameters, compiled.readable_sql
        else:
            sql, parameters, readable = request.sql or "", (), None
        approved = await self._policy.check(sql, dataset, parameters=bool(parameters))
        if isinstance(approved, Denial):
            return approved
        query = DataQuery("sql", approved.sql, parameters=parameters, dataset=dataset.digest, **bounded)
        return Understood(query, readable, (VARIES,) if approved.varies else ())

    def _bounded(self, request: DataRunRequest) -> dict[str, Any]:
        """Raises OverCeilingError."""
        bounds = self._bounds
        return {
            "limits": self._limits(_within("timeout", request.timeout, bounds.seconds, bounds.max_seconds)),
            "max_rows": int(_within("max_rows", request.max_rows, bounds.rows, bounds.max_rows)),
            "max_output_bytes": int(
                _within("max_output_bytes", request.max_output_bytes, bounds.output_bytes, bounds.max_output_bytes)
            ),
        }

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
