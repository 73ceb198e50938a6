"""Random frames, random plans over them, and what the plans answer."""

from typing import Any

from hypothesis import strategies as st

from holdfast.types import Column, Dataset, DatasetTable, Relationship

COLUMNS = {
    "orders": {
        "id": "BIGINT",
        "customer": "INTEGER",
        "total": "DOUBLE",
        "status": "VARCHAR",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "paid": "BOOLEAN",
    },
    'the "customers"': {"id": "INTEGER", "name.full": "VARCHAR", "score": "DECIMAL(8,2)", "select": "VARCHAR"},
    "items": {"id": "BIGINT", "order": "BIGINT", "quantity": "INTEGER", "label%_\\": "VARCHAR"},
}
LINKS = [
    Relationship(from_table="orders", from_column="customer", to_table='the "customers"', to_column="id"),
    Relationship(from_table="items", from_column="order", to_table="orders", to_column="id"),
]
WORLD = Dataset(
    id="world",
    name="World",
    digest="0" * 64,
    tables=tuple(
        DatasetTable(
            name=name,
            columns=tuple(Column(name=column, type=type_name) for column, type_name in columns.items()),
            row_count=0,
        )
        for name, columns in COLUMNS.items()
    ),
    relationships=tuple(LINKS),
)
NEIGHBOURS = {"orders": ['the "customers"', "items"], 'the "customers"': ["orders"], "items": ["orders"]}
FRAMES = 30
TEXTS = ["A", "a", "b%", "_", "\\", "50%_off", "O'Brien", "é", "É", "", 'x"y', "; DROP"]
WORDS = st.sampled_from(TEXTS)
NUMBERS = st.integers(-3, 12) | st.integers(-12, 40).map(lambda n: n / 4)
DAYS = st.integers(1, 28).map(lambda n: f"2025-0{1 + n % 9}-{n:02}")
MOMENTS = DAYS.map(lambda day: f"{day} 10:30:00") | DAYS
PERCENTS = st.sampled_from([0, 5, 25, 50, 75, 95, 100])
ORDERED = ["=", "!=", "<", "<=", ">", ">="]
NUMERIC = ("BIGINT", "INTEGER", "DOUBLE", "DECIMAL(8,2)")

Json = dict[str, Any]


def values_of(type_name: str) -> st.SearchStrategy[Any]:
    """Values that a column of the type can be compared with."""
    if type_name in NUMERIC:
        return NUMBERS
    return {"VARCHAR": WORDS, "DATE": DAYS, "TIMESTAMP": MOMENTS, "BOOLEAN": st.booleans()}[type_name]


class Drawer:
    """Draws one plan, clause by clause."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.tables = [draw(st.sampled_from(list(COLUMNS)))]
        self.joins = self._joins()
        columns = [(table, name) for table in self.tables for name in COLUMNS[table]]
        self.columns = {f"{table}.{name}" if self.joins else name: COLUMNS[table][name] for table, name in columns}

    def one(self, *choices: Any) -> Any:
        """One of them."""
        return self.draw(st.sampled_from(choices))

    def some(self, choices: list[str], most: int, least: int = 0) -> list[str]:
        """Some of them, each once."""
        return list(self.draw(st.lists(st.sampled_from(choices), min_size=least, max_size=most, unique=True)))

    def _joins(self) -> list[Json]:
        joins = []
        for _ in range(self.one(0, 0, 1, 1, 2)):
            possible = [new for old in self.tables for new in NEIGHBOURS[old] if new not in self.tables]
            if possible:
                self.tables.append(self.draw(st.sampled_from(possible)))
                joins.append({"table": self.tables[-1], "type": self.one("inner", "left")})
        return joins

    def condition(self, column: str, type_name: str) -> Json:
        """A comparison that fits."""
        operators = [*ORDERED, "in", "not_in", "between", "is_null", "is_not_null"]
        textual = ["contains", "startswith", "endswith"] if type_name == "VARCHAR" else []
        op = self.draw(st.sampled_from(operators + textual))
        condition: Json = {"column": column, "op": op}
        value = values_of(type_name)
        if op in ("in", "not_in"):
            condition["value"] = self.draw(st.lists(value, max_size=3))
        elif op == "between":
            condition["value"] = [self.draw(value), self.draw(value)]
        elif not op.startswith("is_"):
            condition["value"] = self.draw(value)
        if type_name == "VARCHAR" and op in ("=", "!=", "in", "not_in", *textual):
            condition["ignore_case"] = self.draw(st.booleans())
        return condition

    def filters(self, columns: dict[str, str], depth: int = 2) -> Json:
        """A condition, or several and how they are joined."""
        kind = self.one("one", "one", "any", "all", "not") if depth else "one"
        if kind == "one":
            column = self.draw(st.sampled_from(list(columns)))
            return self.condition(column, columns[column])
        if kind == "not":
            return {"not": self.filters(columns, depth - 1)}
        return {kind: [self.filters(columns, depth - 1) for _ in range(self.one(1, 2, 3))]}

    def bucket(self) -> list[Json]:
        """A date cut to a length of time, sometimes."""
        times = [name for name, type_name in self.columns.items() if type_name in ("DATE", "TIMESTAMP")]
        if not times or self.one(True, False, False):
            return []
        column = self.draw(st.sampled_from(times))
        fine = ["hour", "minute"] if self.columns[column] == "TIMESTAMP" else []
        return [
            {"column": column, "bucket": self.draw(st.sampled_from(["day", "week", "month", "quarter", "year", *fine]))}
        ]

    def aggregations(self) -> list[Json]:
        """Some aggregates, sometimes called like a column."""
        numeric = [name for name, type_name in self.columns.items() if type_name in NUMERIC]
        made = []
        for number in range(self.one(0, 1, 2, 3)):
            func = self.one("count", "count_distinct", "sum", "avg", "min", "max", "median", "percentile")
            of_numbers = func in ("sum", "avg", "median", "percentile")
            column = self.draw(st.sampled_from(numeric if of_numbers else list(self.columns)))
            column = "*" if func == "count" and self.one(True, False) else column
            alias = self.one(f"a{number}", f"Total of {number}") if number else self.one("total", "a0", "id", "moment")
            extra = {"percent": self.draw(PERCENTS)} if func == "percentile" else {}
            made.append({"func": func, "column": column, "alias": alias, **extra})
        return made


def _aliased(items: list[Json]) -> list[Json]:
    return [{**item, "alias": item.get("alias") or f"c{index}"} for index, item in enumerate(items)]


def _kinds(items: list[Json], columns: dict[str, str]) -> dict[str, str]:
    """The types of what is selected, by alias; percentiles are left out because they are not exact."""
    kinds = {}
    for item in items:
        counted = item.get("func") in ("count", "count_distinct")
        if item.get("func") != "percentile":
            numeric = counted or item.get("func") in ("sum", "avg", "median")
            kinds[item["alias"]] = "DOUBLE" if numeric else columns[item["column"]]
    return kinds


@st.composite
def plans(draw: Any) -> Json:
    """Any plan over the world; every name in it is unambiguous."""
    drawer = Drawer(draw)
    plan: Json = {"dataset_id": "world", "table": drawer.tables[0], "joins": drawer.joins}
    plan["filters"] = [drawer.filters(drawer.columns) for _ in range(drawer.one(0, 0, 1, 1, 2))]
    aggregated = drawer.aggregations()
    plain = [*({"column": name} for name in drawer.some(list(drawer.columns), 3)), *drawer.bucket()]
    taken = {item["alias"] for item in aggregated}
    items = _aliased(plain) + aggregated
    if not items:
        return plan | {"limit": 1_000}
    plan["select"] = items
    columns = {
        item["alias"]: _kinds([item], drawer.columns)[item["alias"]] for item in items if item["alias"] not in taken
    }
    kinds = _kinds(items, drawer.columns)
    if aggregated or drawer.one(True, False, False):
        plan["group_by"] = list(columns) if plain else drawer.some(_free(drawer, items), 2)
        if (plan["group_by"] or aggregated) and kinds:
            plan["having"] = [drawer.filters(kinds, 1) for _ in range(drawer.one(0, 0, 1, 2))]
    plan["distinct"] = drawer.one(False, False, True)
    plan["order_by"] = (
        [
            {"expr": name, "direction": drawer.one("asc", "desc"), "nulls": drawer.one("first", "last", "last")}
            for name in drawer.some(list(kinds), 2)
        ]
        if kinds
        else []
    )
    plan["limit"], plan["offset"] = drawer.one((1_000, 0), (1_000, 0), (5, 0), (3, 2), (1, 7))
    # Sums that are equal to us may differ in the last bit.
    is_exact = bool(plan["order_by"]) and kinds[plan["order_by"][0]["expr"]] != "DOUBLE"
    if is_exact and not plan["distinct"] and not plan["offset"]:
        plan["with_ties"] = drawer.one(False, False, True)
    return plan


def _free(drawer: Drawer, items: list[Json]) -> list[str]:
    """Columns that no alias hides."""
    hidden = {item["alias"].lower() for item in items}
    return [name for name in drawer.columns if name.lower() not in hidden]
