"""What the columns of a dataset hold: how many values, their range, and the values of text that has few of them.

It is found in a cell, once for each content of a dataset, and leaves no record: nobody has asked.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import anyio
import structlog

from holdfast.data.columns import Kind, kind_of, quoted
from holdfast.data.compiler import literal
from holdfast.data.query import DataQuery, data_limits, execute
from holdfast.errors import HoldfastError
from holdfast.execution import Executor, recorded_elsewhere
from holdfast.types import Dataset, DatasetTable

MOST_VALUES = 200
LONGEST_VALUE = 80
KEPT = 64
_OUTPUT_BYTES = 1_000_000
_SECONDS = 20.0
_RANGED = frozenset({Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP})


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What is in a column; `values` are the most frequent first, and are there only if they are all."""

    distinct: int
    nulls: int
    low: str | None = None
    high: str | None = None
    values: tuple[str, ...] = ()


Profile = dict[tuple[str, str], ColumnProfile]
"""By table and column; what could not be found out is missing."""


class Profiles:
    """The profiles of the datasets that were asked last."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._known: OrderedDict[str, Profile] = OrderedDict()
        self._turn = anyio.Lock()

    async def of(self, dataset: Dataset) -> Profile:
        """Never raises: what cannot be found out is missing, and then less is understood."""
        async with self._turn:
            if dataset.digest not in self._known:
                self._known[dataset.digest] = await self._found(dataset)
            self._known.move_to_end(dataset.digest)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return self._known[dataset.digest]

    async def _found(self, dataset: Dataset) -> Profile:
        profile: Profile = {}
        for table in dataset.tables:
            try:
                profile |= await self._of_table(dataset, table)
            except HoldfastError as error:
                structlog.get_logger().warning("a table was not profiled", table=table.name, reason=error.code)
        return profile

    async def _of_table(self, dataset: Dataset, table: DatasetTable) -> Profile:
        limits = data_limits(self._executor.bounds, self._executor.engine.capabilities, _SECONDS)
        query = DataQuery(
            "sql",
            profiling(table),
            limits,
            dataset=dataset.digest,
            max_rows=len(table.columns),
            max_output_bytes=_OUTPUT_BYTES,
        )
        with recorded_elsewhere():
            async with self._executor.admission.place_for_all():
                answer = await execute(self._executor, query)
        if answer.table is None or answer.table.truncated:
            return {}
        return {(table.name, row[0]): _read(row) for row in answer.table.rows}


def _read(row: list[object]) -> ColumnProfile:
    _, distinct, nulls, low, high, values = row
    listed = json.loads(str(values)) if values else []
    return ColumnProfile(
        distinct=int(str(distinct)),
        nulls=int(str(nulls)),
        low=None if low is None else str(low),
        high=None if high is None else str(high),
        values=tuple(listed) if len(listed) == int(str(distinct)) else (),
    )


def profiling(table: DatasetTable) -> str:
    """One query with a row for each column of the table."""
    return "\nUNION ALL\n".join(_selects(table))


def _selects(table: DatasetTable) -> Iterable[str]:
    source = quoted(table.name)
    for column in table.columns:
        name, kind = quoted(column.name), kind_of(column.type)
        ranged = kind in _RANGED
        low, high = (f"CAST({end}({name}) AS VARCHAR)" if ranged else "NULL" for end in ("min", "max"))
        yield (
            f"SELECT {literal(column.name)}, count(DISTINCT {name}), count(*) - count({name}), {low}, {high}, "
            f"{_values(name, source) if kind is Kind.TEXT else 'NULL'} FROM {source}"
        )


def _values(name: str, source: str) -> str:
    counted = f"SELECT left({name}, {LONGEST_VALUE}) AS v, count(*) AS n FROM {source} WHERE {name} IS NOT NULL"
    few = f"SELECT v, n FROM ({counted} GROUP BY {name}) ORDER BY n DESC, v LIMIT {MOST_VALUES}"
    return f"(SELECT CAST(to_json(list(v ORDER BY n DESC, v)) AS VARCHAR) FROM ({few}))"
