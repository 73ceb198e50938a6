"""From a plan to SQL: the same plan over the same schema is always the same text.

Every name is looked up in the schema and quoted, every value is bound. What SQL leaves open is written out: a name in
`GROUP BY`, `HAVING` and `ORDER BY` is replaced by what it stands for, so that no alias can be mistaken for a column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.data.columns import Columns, Expression, Kind, find_table, quoted, wrong
from holdfast.data.conditions import Binder, Conditions
from holdfast.data.joining import joined
from holdfast.data.policy.lists import lower
from holdfast.types import Aggregate, Aggregated, Bucket, Condition, Dataset, QueryPlan, SelectColumn
from holdfast.types.plan import MAX_LIMIT

_FINE = frozenset({Bucket.MINUTE, Bucket.HOUR})
_NUMERIC = frozenset({Aggregate.SUM, Aggregate.AVG, Aggregate.MEDIAN, Aggregate.PERCENTILE})
_BETWEEN = frozenset({Aggregate.MEDIAN, Aggregate.PERCENTILE})
_COUNTS = frozenset({Aggregate.COUNT, Aggregate.COUNT_DISTINCT})


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan as SQL. `readable_sql` has the values in the text, for people and for the record; run `sql`."""

    sql: str
    parameters: tuple[Any, ...]
    readable_sql: str


def compile_plan(plan: QueryPlan, dataset: Dataset) -> Compiled:
    """Raises InvalidFieldError, which names the path in the plan."""
    if plan.dataset_id != dataset.id:
        wrong("dataset_id", f"the plan is about '{plan.dataset_id}', not about '{dataset.id}'.")
    parameters: list[Any] = []

    def bind(value: Any) -> str:
        parameters.append(value)
        return "?"

    sql = _Compiler(plan, dataset, bind).write()
    return Compiled(sql, tuple(parameters), _Compiler(plan, dataset, literal).write())


def literal(value: Any) -> str:
    """A value as SQL writes it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


class _Compiler:
    def __init__(self, plan: QueryPlan, dataset: Dataset, bind: Binder) -> None:
        self._plan = plan
        self._bind = bind
        self._from = find_table(dataset, plan.table, "table")
        self._joins = joined(plan, dataset, self._from)
        tables = [self._from, *(join.table for join in self._joins)]
        self._columns = Columns(tables, qualified=bool(self._joins) or _hides_a_column(plan, tables[0].columns))
        self._items = self._selected()
        self._groups = [self._named(name, f"group_by[{index}]") for index, name in enumerate(plan.group_by)]

    def write(self) -> str:
        """The whole statement, a clause a line."""
        self._check_groups()
        lines = self._select()
        lines.append(f"FROM {quoted(self._from.name)}")
        lines += [f"{join.sql} JOIN {quoted(join.table.name)} ON {join.condition}" for join in self._joins]
        lines += self._where("WHERE", "filters", Conditions(self._find, self._bind))
        if self._groups:
            lines.append(f"GROUP BY {', '.join(dict.fromkeys(group.sql for group in self._groups))}")
        lines += self._where("HAVING", "having", Conditions(self._find_in_group, self._bind))
        order = self._order()
        if self._plan.with_ties:
            lines.append(self._ties(order))
        if order:
            lines.append(f"ORDER BY {', '.join(order)}")
        lines.append(f"LIMIT {MAX_LIMIT if self._plan.with_ties else self._plan.limit}")
        if self._plan.offset:
            lines.append(f"OFFSET {self._plan.offset}")
        return "\n".join(lines)

    @property
    def _is_grouped(self) -> bool:
        return bool(self._groups or self._plan.having) or any(item.aggregated for item in self._items.values())

    def _select(self) -> list[str]:
        word = "SELECT DISTINCT" if self._plan.distinct else "SELECT"
        if self._plan.select is None and not self._joins:
            return [f"{word} *"]
        written = [
            item.sql if item.sql.rpartition(".")[2] == quoted(name) else f"{item.sql} AS {quoted(name)}"
            for name, item in self._items.items()
        ]
        return [word, ",\n".join(f"  {item}" for item in written)]

    def _selected(self) -> dict[str, Expression]:
        """What is selected, by the names of the columns of the answer."""
        if self._plan.select is None:
            return self._everything()
        items: dict[str, Expression] = {}
        for index, item in enumerate(self._plan.select):
            path = f"select[{index}]"
            aggregated = isinstance(item, Aggregated)
            found = self._aggregated(item, path) if isinstance(item, Aggregated) else self._plain(item, path)
            name = item.alias or found.name
            if lower(name) in map(lower, items):
                where = "alias" if item.alias or aggregated else "column"
                wrong(f"{path}.{where}", f"there are two columns called '{name}'; give one of them another 'alias'.")
            items[name] = found
        return items

    def _everything(self) -> dict[str, Expression]:
        """Columns of several tables that have the same name are called `table.column`."""
        names = [lower(column.name) for _, column in self._columns.all()]
        return {
            column.name if names.count(lower(column.name)) == 1 else f"{table.name}.{column.name}": (
                self._columns.expression(table, column)
            )
            for table, column in self._columns.all()
        }

    def _plain(self, item: SelectColumn, path: str) -> Expression:
        path = f"{path}.{'column' if item.column else 'expr'}"
        found = self._columns.find(item.name, path)
        if item.bucket is None:
            return found
        if found.kind not in (Kind.DATE, Kind.TIMESTAMP) or (found.kind is Kind.DATE and item.bucket in _FINE):
            wrong(path, f"'{found.name}' is {found.type}, which has no {item.bucket} to cut to.")
        cut = f"date_trunc('{item.bucket}', {found.sql})"
        sql = f"CAST({cut} AS DATE)" if found.kind is Kind.DATE else cut
        return Expression(sql, found.kind, f"{found.name}_{item.bucket}", found.type)

    def _aggregated(self, item: Aggregated | Condition, path: str) -> Expression:
        func, path = item.func, f"{path}.column"
        assert func is not None
        if item.column == "*":
            if func is not Aggregate.COUNT:
                wrong(path, f"only 'count' takes '*', '{func}' needs a column.")
            return Expression("count(*)", Kind.NUMBER, "count(*)", aggregated=True)
        found = self._columns.find(item.column, path)
        if func in _NUMERIC and found.kind is not Kind.NUMBER:
            wrong(path, f"'{func}' needs numbers, and '{found.name}' is {found.type}.")
        kind = Kind.NUMBER if func in _COUNTS | _NUMERIC else found.kind
        # Between two decimals DuckDB would round to their scale.
        exact = func in _BETWEEN and found.type.upper().startswith(("DECIMAL", "NUMERIC"))
        column = f"CAST({found.sql} AS DOUBLE)" if exact else found.sql
        return Expression(_call(func, column, item.percent), kind, f"{func}({found.name})", aggregated=True)

    def _named(self, name: str, path: str) -> Expression:
        """An alias of `select`, or a column."""
        return _by_name(self._items, name) or self._columns.find(name, path)

    def _check_groups(self) -> None:
        if not self._is_grouped:
            return
        if self._plan.select is None:
            wrong("select", "with 'group_by' or 'having' name what to select.")
        for index, group in enumerate(self._groups):
            if group.aggregated:
                wrong(f"group_by[{index}]", f"'{self._plan.group_by[index]}' is an aggregation; group by columns.")
        for index, (name, item) in enumerate(self._items.items()):
            if not self._is_of_group(item):
                wrong(f"select[{index}]", f"'{name}' is not aggregated, so it has to be in 'group_by'.")

    def _is_of_group(self, item: Expression) -> bool:
        return item.aggregated or item.sql in [group.sql for group in self._groups]

    def _where(self, word: str, field: str, conditions: Conditions) -> list[str]:
        filters = getattr(self._plan, field)
        written = [conditions.write(each, f"{field}[{index}]") for index, each in enumerate(filters)]
        return [f"{word} " + "\n  AND ".join(written)] if written else []

    def _find(self, condition: Condition, path: str) -> Expression:
        if condition.func is not None:
            wrong(f"{path}.func", "rows are filtered before they are aggregated; put it in 'having'.")
        return self._columns.find(condition.column, f"{path}.column")

    def _find_in_group(self, condition: Condition, path: str) -> Expression:
        if condition.func is not None:
            return self._aggregated(condition, path)
        found = self._named(condition.column, f"{path}.column")
        if not self._is_of_group(found):
            wrong(f"{path}.column", f"'{condition.column}' is neither aggregated nor in 'group_by'; use 'filters'.")
        return found

    def _order(self) -> list[str]:
        return [
            self._ordered(each.expr, f"order_by[{index}].expr")
            + (" DESC" if each.direction == "desc" else "")
            + (" NULLS FIRST" if each.nulls == "first" else "")
            for index, each in enumerate(self._plan.order_by)
        ]

    def _ties(self, order: list[str]) -> str:
        """The rank of a row is how many are before it by the first order alone."""
        if not order or self._plan.offset or self._plan.distinct:
            wrong("with_ties", "it needs 'order_by', and goes with neither 'offset' nor 'distinct'.")
        return f"QUALIFY rank() OVER (ORDER BY {order[0]}) <= {self._plan.limit}"

    def _ordered(self, name: str, path: str) -> str:
        found = self._named(name, path)
        if self._is_grouped and not self._is_of_group(found):
            wrong(path, f"'{name}' is neither aggregated nor in 'group_by'.")
        if self._plan.distinct and found.sql not in [item.sql for item in self._items.values()]:
            wrong(path, f"with 'distinct' only what is selected can be ordered by, and '{name}' is not.")
        return found.sql


def _call(func: Aggregate, column: str, percent: float | None) -> str:
    if func is Aggregate.COUNT_DISTINCT:
        return f"count(DISTINCT {column})"
    if func is Aggregate.PERCENTILE:
        return f"quantile_cont({column}, {(percent or 0.0) / 100!r})"
    return f"{func}({column})"


def _by_name(items: Mapping[str, Expression], name: str) -> Expression | None:
    return items.get(name) or next((item for key, item in items.items() if lower(key) == lower(name)), None)


def _hides_a_column(plan: QueryPlan, columns: Any) -> bool:
    """Whether an alias is called like a column, which SQL would find in the column's place."""
    names = {lower(column.name) for column in columns}
    return any(item.alias and lower(item.alias) in names for item in plan.select or ())
