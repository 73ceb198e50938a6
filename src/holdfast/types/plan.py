"""The nouns of a query plan: a question about the tables of one dataset, as data instead of as SQL.

Columns are named alone, or as `table.column` where several tables of the plan have one of that name. In `group_by`,
`having` and `order_by` an alias of `select` wins over a column of the same name.
"""

import math
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from holdfast.errors import InvalidFieldError, MalformedRequestError
from holdfast.types.invalid import reason_of
from holdfast.types.numbers import NoBoolean
from holdfast.types.tags import untagged

MAX_LIMIT = 1_000
MAX_ITEMS = 200
MAX_VALUES = 10_000
MAX_DEPTH = 16
MAX_CONDITIONS = 1_000
MAX_OFFSET = 1_000_000_000
_MAX_INTEGER = (1 << 127) - 1
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SHOWN = 80


def _text(value: str) -> str:
    if _UNSTORABLE.search(value):
        raise ValueError("the text holds the character NUL or half of a surrogate pair")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]


class Aggregate(StrEnum):
    """What is made of the values of a group; nulls are left out, as in SQL."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    MEDIAN = "median"
    PERCENTILE = "percentile"


class Bucket(StrEnum):
    """The length of time that dates and timestamps are cut to; weeks begin on Monday."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Operator(StrEnum):
    """How a column is compared with a value. As in SQL, a null fulfils nothing but `is_null`."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    IN = "in"
    NOT_IN = "not_in"
    BETWEEN = "between"
    CONTAINS = "contains"
    STARTS_WITH = "startswith"
    ENDS_WITH = "endswith"
    IS_NULL = "is_null"
    IS_NOT_NULL = "is_not_null"


NULL_TESTS = frozenset({Operator.IS_NULL, Operator.IS_NOT_NULL})
LISTS = frozenset({Operator.IN, Operator.NOT_IN})
TEXT_TESTS = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})
CASELESS = TEXT_TESTS | LISTS | {Operator.EQUAL, Operator.NOT_EQUAL}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _is_value(value: Any) -> Any:
    if value is None or not isinstance(value, list):
        return value if value is None else _is_scalar(value)
    if len(value) > MAX_VALUES:
        raise ValueError(f"there are more than {MAX_VALUES:,} values")
    return [_is_scalar(each) for each in value]


def _is_scalar(value: Any) -> Any:
    if type(value) not in (str, int, float, bool):
        raise ValueError("give text, a number, true, false, or a list of them; test for null with 'is_null'")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("give a finite number")
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise ValueError("the number is out of range")
    return _text(value) if isinstance(value, str) else value


_SCALARS: list[JsonValue] = [{"type": name} for name in ("string", "number", "boolean")]
Value = Annotated[
    Any,
    AfterValidator(_is_value),
    WithJsonSchema({"anyOf": [*_SCALARS, {"type": "array", "items": {"anyOf": _SCALARS}}]}),
]


def _only_a_name(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class SelectColumn(_Part):
    """A column as it is, or dates cut to a length of time. `expr` is the seed's other name for `column`."""

    column: Name | None = None
    expr: Name | None = None
    bucket: Bucket | None = None
    alias: Name | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.column or self.expr):
            raise ValueError("name a 'column'")
        return self

    @property
    def name(self) -> str:
        return self.column or self.expr or ""


class Aggregated(_Part):
    """What `func` makes of a column. `count` also takes `*`; `percentile` needs `percent`, such as 95."""

    func: Aggregate
    column: Name
    alias: Name
    percent: Annotated[float, Field(ge=0, le=100), NoBoolean] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        _check_percent(self.func, self.percent)
        return self


def _check_percent(func: Aggregate | None, percent: float | None) -> None:
    if func is Aggregate.PERCENTILE and percent is None:
        raise ValueError("give a 'percent' from 0 to 100")
    if func is not Aggregate.PERCENTILE and percent is not None:
        raise ValueError("only 'percentile' takes a 'percent'")


class Join(_Part):
    """One more table, along a declared relationship with a table that is in the plan already.

    `to` (that table), `to_column` (its column) and `column` (of the joined table) choose among several relationships.
    """

    table: Name
    type: Literal["inner", "left"] = "inner"
    to: Name | None = None
    to_column: Name | None = None
    column: Name | None = None


class Condition(_Part):
    """One comparison. With `func`, in `having` only, it is the aggregate of the column that is compared."""

    column: Name
    op: Operator
    value: Value = None
    ignore_case: bool = False
    func: Aggregate | None = None
    percent: Annotated[float, Field(ge=0, le=100), NoBoolean] | None = None

    @model_validator(mode="after")
    def _has_its_value(self) -> Self:
        if (self.value is None) != (self.op in NULL_TESTS):
            raise ValueError(
                f"'{self.op}' takes no 'value'" if self.op in NULL_TESTS else f"'{self.op}' needs a 'value'"
            )
        listed = isinstance(self.value, list)
        if self.op is Operator.BETWEEN and (not isinstance(self.value, list) or len(self.value) != 2):
            raise ValueError("'between' needs a list of two values")
        if self.op in LISTS and not listed:
            raise ValueError(f"'{self.op}' needs a list of values")
        if listed and self.op not in LISTS | {Operator.BETWEEN}:
            raise ValueError(f"'{self.op}' needs one value, not a list; 'in' takes a list")
        if self.ignore_case and self.op not in CASELESS:
            raise ValueError(f"'{self.op}' has no 'ignore_case'")
        _check_percent(self.func, self.percent)
        return self


class AnyOf(_Part):
    """At least one of them holds."""

    any: Annotated[list["Filter"], Field(min_length=1, max_length=MAX_ITEMS)]


class AllOf(_Part):
    """Every one of them holds."""

    all: Annotated[list["Filter"], Field(min_length=1, max_length=MAX_ITEMS)]


class Not(_Part):
    """It does not hold."""

    model_config = ConfigDict(populate_by_name=True)

    negated: "Filter" = Field(alias="not")


def _kind_of_filter(value: Any) -> str:
    for key, tag in (("any", "<any>"), ("all", "<all>"), ("not", "<not>")):
        if isinstance(value, dict) and key in value:
            return tag
    kinds: dict[type, str] = {AnyOf: "<any>", AllOf: "<all>", Not: "<not>"}
    return kinds.get(type(value), "<condition>")


Filter = Annotated[
    Annotated[Condition, Tag("<condition>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[AllOf, Tag("<all>")]
    | Annotated[Not, Tag("<not>")],
    Discriminator(_kind_of_filter),
]


def _bounded(value: Any) -> Any:
    """Level by level, so that nesting without end is refused before anything recurses into it."""
    level, depth, conditions, values = [value], 0, 0, 0
    while level:
        conditions += len(level)
        values += sum(len(each["value"]) for each in level if isinstance(each, dict) and _is_list(each))
        if depth > 2 * MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        if conditions > 2 * MAX_CONDITIONS or values > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_CONDITIONS:,} conditions or {MAX_VALUES:,} values")
        level = [inner for outer in level for inner in _inside(outer)]
        depth += 1
    return value


def _is_list(condition: dict[str, Any]) -> bool:
    return isinstance(condition.get("value"), list)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[key] for key in ("any", "all", "not") if key in value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


Filters = Annotated[list[Filter], Field(max_length=MAX_ITEMS), BeforeValidator(_bounded)]


def _kind_of_item(value: Any) -> str:
    aggregated = isinstance(value, Aggregated) or (isinstance(value, dict) and "func" in value)
    return "<aggregated>" if aggregated else "<column>"


Item = Annotated[
    Annotated[SelectColumn, BeforeValidator(_only_a_name), Tag("<column>")]
    | Annotated[Aggregated, Tag("<aggregated>")],
    Discriminator(_kind_of_item),
]


class OrderBy(_Part):
    """`expr` is an alias of `select` or a column. Nulls come last unless `nulls` is `first`."""

    expr: Name
    direction: Literal["asc", "desc"] = "asc"
    nulls: Literal["first", "last"] = "last"


class QueryPlan(_Part):
    """A question about one dataset. `select` absent means every column of every table; `filters` all have to hold."""

    dataset_id: Name
    table: Name
    joins: Annotated[list[Join], Field(max_length=MAX_ITEMS)] = []
    select: Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS)] | None = None
    distinct: bool = False
    filters: Filters = []
    group_by: Annotated[list[Name], Field(max_length=MAX_ITEMS)] = []
    having: Filters = []
    order_by: Annotated[list[OrderBy], Field(max_length=MAX_ITEMS)] = []
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, strict=True)] = 200
    with_ties: bool = False
    """Also the rows after `limit` that are equal to the last one by the first of `order_by`; at most 1,000 in all."""

    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET, strict=True)] = 0
    notes: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_a_null_limit(cls, body: Any) -> Any:
        """The seed's `limit: null` is the default."""
        if not isinstance(body, dict):
            return body
        return {name: value for name, value in body.items() if name != "limit" or value is not None}


def parse_plan(body: Any) -> QueryPlan:
    """The plan that a JSON value describes. Raises InvalidFieldError, which names the path in the plan."""
    if not isinstance(body, dict):
        raise MalformedRequestError("A plan is a JSON object with 'dataset_id' and 'table'.")
    try:
        return QueryPlan.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = plan_path(fault["loc"])
        raise InvalidFieldError(f"{path or 'The plan'}: {reason_of(fault)}.", field=path or None) from None


def plan_path(location: tuple[int | str, ...]) -> str:
    """A place in a plan as people write it: `filters[2].value`."""
    path = ""
    for step in untagged(location):
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    shown = path[:_SHOWN]
    return shown if shown.isprintable() else ascii(shown)
