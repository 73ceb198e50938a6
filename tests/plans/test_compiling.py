"""Plans: what they mean as SQL, and what is said of those that mean nothing."""

from typing import Any

import pytest

from holdfast.data.compiler import Compiled, compile_plan
from holdfast.errors import InvalidFieldError, MalformedRequestError
from holdfast.types import Column, Dataset, DatasetTable, Relationship
from holdfast.types.plan import MAX_CONDITIONS, MAX_VALUES, parse_plan

Json = dict[str, Any]
TABLES = {
    "orders": {
        "order_id": "BIGINT",
        "customer_id": "BIGINT",
        "gift_for": "BIGINT",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "total": "DECIMAL(10,2)",
        "status": "VARCHAR",
        "paid": "BOOLEAN",
        "raw": "BLOB",
    },
    "items": {"item_id": "BIGINT", "order_id": "BIGINT", "price": "DOUBLE", 'we"ird': "VARCHAR"},
    "customers": {"customer_id": "BIGINT", "name": "VARCHAR"},
    "lonely": {"x": "INTEGER"},
}
SHOP = Dataset(
    id="shop",
    name="Shop",
    digest="0" * 64,
    tables=tuple(
        DatasetTable(
            name=table, columns=tuple(Column(name=name, type=kind) for name, kind in columns.items()), row_count=0
        )
        for table, columns in TABLES.items()
    ),
    relationships=(
        Relationship(from_table="items", from_column="order_id", to_table="orders", to_column="order_id"),
        Relationship(from_table="orders", from_column="customer_id", to_table="customers", to_column="customer_id"),
        Relationship(from_table="orders", from_column="gift_for", to_table="customers", to_column="customer_id"),
    ),
)
COUNT = {"func": "count", "column": "*", "alias": "n"}


def compiled(**plan: Any) -> Compiled:
    return compile_plan(parse_plan({"dataset_id": "shop", "table": "orders", **plan}), SHOP)


def refused(**plan: Any) -> InvalidFieldError:
    with pytest.raises(InvalidFieldError) as error:
        compiled(**plan)
    return error.value


def test_a_plan_of_the_seed_has_the_text_of_the_seed() -> None:
    plan: Json = {
        "select": [{"column": "status"}, {"func": "sum", "column": "total", "alias": "revenue"}],
        "filters": [{"column": "paid", "op": "=", "value": True}, {"column": "total", "op": ">", "value": 10}],
        "group_by": ["status"],
        "order_by": [{"expr": "revenue", "direction": "desc"}],
        "limit": None,
        "notes": "ignored",
    }
    made = compiled(**plan)
    assert made.sql == (
        'SELECT\n  "status",\n  sum("total") AS "revenue"\nFROM "orders"\nWHERE "paid" = ?\n  AND "total" > ?\n'
        'GROUP BY "status"\nORDER BY sum("total") DESC\nLIMIT 200'
    )
    assert made.parameters == (True, 10)
    assert 'WHERE "paid" = TRUE\n  AND "total" > 10' in made.readable_sql
    assert compiled().sql == 'SELECT *\nFROM "orders"\nLIMIT 200'
    assert compiled(**plan) == made


def test_aggregations_stay_aggregations_however_they_are_spelled() -> None:
    assert 'sum("total") AS "s"' in compiled(select=[{"func": "sum", "column": "total", "alias": "s"}]).sql
    assert refused(select=[{"func": "mode", "column": "total", "alias": "s"}]).field == "select[0].func"
    assert refused(select=[{"agg": "sum", "column": "total", "as": "s"}]).field in {"select[0].agg", "select[0].as"}


def test_values_are_never_in_the_text() -> None:
    nasty = "x'; DROP TABLE orders; --"
    made = compiled(filters=[{"column": "status", "op": op, "value": nasty} for op in ("=", "contains", "startswith")])
    assert "DROP" not in made.sql
    assert made.parameters == (nasty, f"%{nasty}%", f"{nasty}%")
    assert "'x''; DROP TABLE orders; --'" in made.readable_sql


def test_what_is_special_in_a_pattern_is_escaped() -> None:
    made = compiled(filters=[{"column": "status", "op": "contains", "value": "50%_off\\"}])
    assert made.parameters == ("%50\\%\\_off\\\\%",)
    assert "LIKE ? ESCAPE '\\'" in made.sql


def test_names_are_those_of_the_schema_and_quoted() -> None:
    made = compiled(table="ITEMS", select=['"PRICE"', {"column": 'we"ird', "alias": 'a "b"; DROP'}])
    assert made.sql.startswith('SELECT\n  "price",\n  "we""ird" AS "a ""b""; DROP"\nFROM "items"')
    evil = "(select content from read_text('/etc/passwd'))"
    assert refused(select=[{"expr": evil}]).field == "select[0].expr"
    assert refused(order_by=[{"expr": evil}]).field == "order_by[0].expr"
    assert refused(table='orders"; DROP TABLE orders; --').field == "table"


def test_tables_are_joined_along_relationships() -> None:
    made = compiled(table="items", joins=[{"table": "orders", "type": "left"}], select=["price", "orders.order_id"])
    assert 'LEFT JOIN "orders" ON "items"."order_id" = "orders"."order_id"' in made.sql
    gift = compiled(joins=[{"table": "customers", "to": "orders", "to_column": "gift_for"}], select=["name"])
    assert 'INNER JOIN "customers" ON "orders"."gift_for" = "customers"."customer_id"' in gift.sql
    assert "declared" in refused(joins=[{"table": "lonely"}]).detail
    assert "already" in refused(joins=[{"table": "orders"}]).detail
    assert "several ways" in refused(joins=[{"table": "customers"}]).detail


def test_every_column_of_a_join_has_a_name_of_its_own() -> None:
    sql = compiled(table="items", joins=[{"table": "orders"}]).sql
    assert '"items"."order_id" AS "items.order_id"' in sql and '"orders"."order_id" AS "orders.order_id"' in sql
    error = refused(table="items", joins=[{"table": "orders"}], select=["order_id"])
    assert "'items.order_id' or 'orders.order_id'" in error.detail


def test_groups_of_conditions_nest() -> None:
    small, late = {"column": "total", "op": "<", "value": 1}, {"column": "day", "op": ">=", "value": "2025-01-01"}
    sql = compiled(filters=[{"any": [small, {"not": {"all": [late, small]}}]}]).readable_sql
    assert 'WHERE ("total" < 1 OR NOT (("day" >= CAST(\'2025-01-01\' AS DATE) AND "total" < 1)))' in sql


def test_an_empty_list_holds_nothing() -> None:
    assert "WHERE FALSE" in compiled(filters=[{"column": "total", "op": "in", "value": []}]).sql
    assert "WHERE TRUE" in compiled(filters=[{"column": "total", "op": "not_in", "value": []}]).sql


def test_dates_are_cut_to_buckets_and_grouped_by_alias() -> None:
    month = {"column": "day", "bucket": "month", "alias": "day"}
    sql = compiled(select=[month, COUNT], group_by=["day"], order_by=[{"expr": "day", "nulls": "first"}]).sql
    cut = 'CAST(date_trunc(\'month\', "orders"."day") AS DATE)'
    assert f'{cut} AS "day"' in sql and f"GROUP BY {cut}" in sql and f"ORDER BY {cut} NULLS FIRST" in sql
    assert refused(select=[{"column": "day", "bucket": "hour"}]).field == "select[0].column"
    assert refused(select=[{"column": "status", "bucket": "month"}]).field == "select[0].column"


def test_medians_percentiles_having_distinct_and_offset() -> None:
    p95 = {"func": "percentile", "column": "total", "percent": 95, "alias": "p95"}
    sql = compiled(
        select=["status", p95, {"func": "median", "column": "total", "alias": "m"}],
        group_by=["status"],
        having=[{"column": "p95", "op": ">", "value": 3}, {"func": "count", "column": "*", "op": ">", "value": 1}],
        distinct=True,
        offset=20,
    ).sql
    assert sql.startswith("SELECT DISTINCT") and sql.endswith("LIMIT 200\nOFFSET 20")
    assert 'quantile_cont(CAST("total" AS DOUBLE), 0.95) AS "p95"' in sql
    assert 'HAVING quantile_cont(CAST("total" AS DOUBLE), 0.95) > ?\n  AND count(*) > ?' in sql


WRONG: dict[str, Json] = {
    "table": {"table": "order"},
    "dataset_id": {"dataset_id": "other"},
    "unheard": {"unheard": 1},
    "limit": {"limit": 1_001},
    "offset": {"offset": -1},
    "select": {"group_by": ["status"]},
    "select[0]": {"select": ["status", COUNT]},
    "select[1].column": {"select": ["status", "status"]},
    "select[0].column": {"select": [{"func": "sum", "column": "status", "alias": "s"}]},
    "select[0].percent": {"select": [{"func": "percentile", "column": "total", "alias": "p", "percent": 101}]},
    "joins[0].type": {"joins": [{"table": "items", "type": "cross"}]},
    "joins[0].table": {"joins": [{"table": "nowhere"}]},
    "filters[2].value": {
        "filters": [{"column": "total", "op": "is_null"}] * 2 + [{"column": "total", "op": "=", "value": "five"}]
    },
    "filters[0].value": {"filters": [{"column": "day", "op": ">", "value": "2025-02-30"}]},
    "filters[0].value[1]": {"filters": [{"column": "total", "op": "in", "value": [1, "2"]}]},
    "filters[0].column": {"filters": [{"column": "raw", "op": "=", "value": "x"}]},
    "filters[0].op": {"filters": [{"column": "total", "op": "contains", "value": "x"}]},
    "filters[0].any[1].not.column": {
        "filters": [{"any": [{"column": "total", "op": "is_null"}, {"not": {"column": "nope", "op": "is_null"}}]}]
    },
    "filters[0].func": {"filters": [{"func": "sum", "column": "total", "op": ">", "value": 1}]},
    "filters[0]": {"filters": [{"column": "total", "op": "between", "value": [1]}]},
    "having[0].column": {
        "select": [COUNT],
        "having": [{"column": "status", "op": "=", "value": "A"}],
    },
    "group_by[0]": {"select": [COUNT], "group_by": ["n"]},
    "order_by[0].expr": {"select": [COUNT], "order_by": [{"expr": "status"}]},
    "order_by[0].direction": {"order_by": [{"expr": "status", "direction": "DESC"}]},
    "order_by[0].dir": {"order_by": [{"expr": "status", "dir": "desc"}]},
}


@pytest.mark.parametrize("path", WRONG)
def test_a_plan_that_means_nothing_names_the_path(path: str) -> None:
    error = refused(**WRONG[path])
    assert error.field == path
    assert error.detail.startswith(f"{path}: ") and error.detail.endswith((".", "?"))


@pytest.mark.parametrize("value", [None, {}, [[1]], [None], float("nan"), float("inf"), 1 << 127, "\ud800", "\0"])
def test_what_is_no_value_is_refused(value: Any) -> None:
    error = refused(filters=[{"column": "total", "op": "in" if isinstance(value, list) else "=", "value": value}])
    assert error.field and error.field.startswith("filters[0]")


def test_nesting_and_length_have_an_end() -> None:
    deep: Json = {"column": "total", "op": "is_null"}
    for _ in range(100_000):
        deep = {"not": deep}
    assert refused(filters=[deep]).detail == "filters: it is nested more than 16 levels deep."
    assert refused(having=[deep]).field == "having"
    wide = {"any": [{"any": [{"column": "total", "op": "is_null"}] * 200}] * 200}
    assert f"{MAX_CONDITIONS:,} conditions" in refused(filters=[wide]).detail
    many = [{"column": "total", "op": "in", "value": [1] * MAX_VALUES}] * 2
    assert f"{MAX_VALUES:,} values" in refused(filters=many).detail


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"wher": 1}, "wher: there is no such field here"),
        ({"select": [{"func": "sum", "column": "total"}]}, "select[0].alias: it is needed"),
        ({"order_by": ["total"]}, "order_by[0]: Input should be an object."),
        ({"filters": ["x"]}, "filters[0]: Input should be an object."),
        ({"select": [5]}, "select[0]: Input should be an object."),
    ],
)
def test_what_is_wrong_is_told_without_the_words_of_python(plan: Json, said: str) -> None:
    assert refused(**plan).detail.startswith(said)


@pytest.mark.parametrize("value", ["2026-01-31 12:00:00,5", "2026-01-31 1200", "2026-01-31 12", "2026-01-31 24:61"])
def test_a_time_that_duckdb_does_not_read_is_refused_before_anything_runs(value: str) -> None:
    assert refused(filters=[{"column": "day", "op": ">", "value": value}]).field == "filters[0].value"


def test_what_is_no_object_is_no_plan() -> None:
    for body in ("SELECT 1", [1], None, 5):
        with pytest.raises(MalformedRequestError):
            parse_plan(body)
