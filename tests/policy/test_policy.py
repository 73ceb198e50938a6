"""Which SQL runs: ordinary reads do, and nothing else."""

import contextlib
import random
import re
from typing import Any

import anyio
import pytest
import yaml

from holdfast.data.policy import MAX_SQL_BYTES, SqlPolicy
from holdfast.data.policy.lists import lists, read
from holdfast.data.policy.walk import Refused, Walk
from holdfast.types import Approved, Denial, SqlCommand
from tests.policy.nesting import nested
from tests.policy.world import HERE, SHOP, creating, in_guest, statements

ACCEPTED = statements("accepted.sql")
DENIED = [
    (code, sql) for code, group in yaml.safe_load((HERE / "denied.yaml").read_text("utf-8")).items() for sql in group
]
TABLES = {table.name.lower(): table.name for table in SHOP.tables}
pytestmark = pytest.mark.anyio


async def denied(policy: SqlPolicy, sql: str) -> Denial:
    said = await policy.check(sql, SHOP)
    assert isinstance(said, Denial), sql
    return said


async def approved(policy: SqlPolicy, sql: str) -> Approved:
    said = await policy.check(sql, SHOP)
    assert isinstance(said, Approved), said
    return said


async def test_ordinary_reads_are_accepted_and_run(policy: SqlPolicy) -> None:
    assert len(ACCEPTED) >= 300
    said = {sql: await policy.check(sql, SHOP) for sql in ACCEPTED}
    assert {sql: each for sql, each in said.items() if isinstance(each, Denial)} == {}
    program = """
import duckdb, json, sys
given = json.load(sys.stdin)
connection = duckdb.connect()
for sql in given["creating"]:
    connection.execute(sql)
failed = {}
for sql in given["running"]:
    try:
        connection.execute(sql).fetchall()
    except Exception as error:
        failed[sql] = str(error)
print(json.dumps(failed))
"""
    running = [each.sql for each in said.values() if isinstance(each, Approved)]
    assert in_guest(program, {"creating": creating(), "running": running}) == {}


async def test_what_is_no_pure_read_is_denied_with_its_class(policy: SqlPolicy) -> None:
    assert len(DENIED) >= 200
    wrong = {}
    for code, sql in DENIED:
        said = await policy.check(sql, SHOP)
        if not isinstance(said, Denial) or said.code != code or not said.message:
            wrong[sql] = (code, said)
    assert wrong == {}


async def test_a_denial_says_what_where_and_what_to_do_instead(policy: SqlPolicy) -> None:
    said = await denied(policy, "SELECT 'é🙂', upper(current_setting('x')) FROM orders")
    assert (said.code, said.name, said.position) == ("function", "current_setting", 19)
    said = await denied(policy, "SELECT * FROM 'é' || 1")
    assert said.code == "syntax" and said.position is not None
    assert (await denied(policy, "SELECT * FROM orderz")).hint == "Did you mean 'orders'?"
    assert (await denied(policy, "SELECT summ(total) FROM orders")).hint == "Did you mean 'sum'?"
    assert "IN ('a', 'b')" in str((await denied(policy, "PIVOT orders ON status USING sum(total)")).hint)


@pytest.mark.parametrize(
    ("sql", "name", "position"),
    [
        ("/* a */ -- ä\n  INSTALL httpfs", "INSTALL", 15),
        ("USE memory", "USE", 0),
        ("CHECKPOINT", "CHECKPOINT", 0),
        ("begin", "BEGIN", 0),
        ("SELECT 'ä;'; TRUNCATE orders", "TRUNCATE", 13),
        ("WITH t AS (SELECT 1) INSERT INTO orders FROM t", "INSERT", 0),
        ("WITH t AS (DELETE FROM orders RETURNING *) FROM t", "DELETE", 11),
        ("SELECT 'ä'; SELECT 2", None, 12),
    ],
)
async def test_what_is_no_read_is_told_by_its_own_word_and_where_it_begins(
    policy: SqlPolicy, sql: str, name: str | None, position: int | None
) -> None:
    said = await denied(policy, sql)
    assert (said.name, said.position) == (name, position)
    assert said.hint and (name or "one statement") in said.message


async def test_a_cte_that_is_refused_is_told_with_its_place(policy: SqlPolicy) -> None:
    said = await denied(policy, 'WITH "x.csv" AS (SELECT 1) FROM "x.csv"')
    assert (said.code, said.name, said.position) == ("cte_name", "x.csv", 6)


async def test_a_denial_says_it_in_whole_sentences_with_a_hint(policy: SqlPolicy) -> None:
    said = await denied(policy, "SELECT listagg(status) WITHIN GROUP (ORDER BY status) FROM orders")
    assert said.message.endswith('"listagg".')
    assert (await denied(policy, "SELECT 1::varchr")).hint == "Did you mean 'varchar'?"
    assert "INTEGER" in str((await denied(policy, "SELECT 1::nosuch")).hint)
    assert (await denied(policy, "SELECT * FROM orders AT (VERSION => 1)")).hint


async def test_a_column_is_found_however_much_of_its_place_is_named(policy: SqlPolicy) -> None:
    said = await approved(policy, "SELECT shop.main.orders.total, SHOP.orders.total FROM shop.main.orders")
    assert said.sql == "SELECT main.orders.total, main.orders.total FROM main.orders"


async def test_a_table_named_with_its_dataset_is_resolved_in_the_tree_and_never_in_the_text(policy: SqlPolicy) -> None:
    said = await approved(
        policy, "SELECT 'shop.orders' AS \"shop.x\", shop.orders.total FROM Shop.orders -- shop.orders"
    )
    assert said.sql == """SELECT 'shop.orders' AS "shop.x", main.orders.total FROM main.orders"""
    plain = "SELECT 'shop.orders' FROM orders -- shop."
    assert (await approved(policy, plain)).sql == plain
    shadowed = await approved(policy, "WITH orders AS (SELECT * FROM shop.orders) SELECT * FROM orders")
    assert shadowed.sql == "WITH orders AS (SELECT * FROM main.orders) SELECT * FROM orders"


async def test_commands_are_told_from_queries(policy: SqlPolicy) -> None:
    for sql, command in {
        "DESCRIBE orders": SqlCommand.DESCRIBE,
        "SHOW orders": SqlCommand.DESCRIBE,
        "SUMMARIZE SELECT total FROM orders": SqlCommand.SUMMARIZE,
        "show tables;": SqlCommand.SHOW_TABLES,
        "SELECT column_name FROM (DESCRIBE orders)": SqlCommand.QUERY,
        "FROM (DESCRIBE orders) LIMIT 1": SqlCommand.QUERY,
    }.items():
        assert (await approved(policy, sql)).command is command, sql


async def test_what_is_read_and_what_varies_is_told(policy: SqlPolicy) -> None:
    said = await approved(policy, "WITH x AS (SELECT 1) SELECT * FROM x, ORDERS, shop.items")
    assert (said.tables, said.varies) == (("items", "orders"), False)
    for sql in ("SELECT random()", "SELECT now()", "SELECT current_date", "SELECT uuid() FROM orders"):
        assert (await approved(policy, sql)).varies, sql


async def test_parameters_are_taken_only_with_values(policy: SqlPolicy) -> None:
    assert (await denied(policy, "SELECT * FROM orders WHERE total > ?")).code == "parameter"
    assert isinstance(await policy.check("SELECT * FROM orders WHERE total > ?", SHOP, parameters=True), Approved)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
        "(" * 200_000,
        "SELECT * FROM " + "(SELECT * FROM " * 5_000 + "orders" + ")" * 5_000,
        "SELECT " + "[" * 20_000 + "]" * 20_000,
        "SELECT " + "NOT " * 50_000 + "true",
        "SELECT " + "case when 1 then " * 10_000 + "1" + " end" * 10_000,
        "SELECT 1 WHERE " + " AND ".join(["1 = 1"] * 25_000),
        "SELECT 'x'" + " || 'x'" * 30_000,
        "WITH " + ", ".join(f"c{number} AS (SELECT 1)" for number in range(8_000)) + " SELECT 1",
        "SELECT '" + "x" * MAX_SQL_BYTES + "'",
    ],
    ids=lambda sql: sql[:24],
)
async def test_a_statement_that_overwhelms_the_parser_is_denied_and_the_next_is_checked(
    policy: SqlPolicy, sql: str
) -> None:
    assert (await denied(policy, sql)).code in {"too_complex", "syntax"}
    assert await approved(policy, "SELECT 1")


async def test_a_hundred_thousand_nested_parentheses_are_a_denial(policy: SqlPolicy) -> None:
    said = await denied(policy, "SELECT " + "(" * 100_000 + "1" + ")" * 100_000)
    assert said.code == "too_complex" and said.hint


@pytest.mark.parametrize("sql", ["SELECT 1\0; DROP TABLE orders", "SELECT '\ud800'", "\ufeffSELEC"])
async def test_text_that_is_none_is_a_denial(policy: SqlPolicy, sql: str) -> None:
    assert (await denied(policy, sql)).code == "syntax"


async def test_many_ask_at_once_and_each_gets_its_own_answer(policy: SqlPolicy) -> None:
    said: dict[int, Any] = {}

    async def ask(number: int) -> None:
        sql = f"SELECT {number}" if number % 3 else f"SELECT * FROM 't{number}.csv'"
        said[number] = await policy.check(sql, SHOP)

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(ask, number)
    for number, each in said.items():
        assert each.sql == f"SELECT {number}" if number % 3 else each.name == f"t{number}.csv"


FORBIDDEN = {"class": "FUNCTION", "type": "FUNCTION", "function_name": "getenv", "qualified_name": {"path": ["getenv"]}}
TABLES_OF_A_TREE = frozenset({"BASE_TABLE", "TABLE_FUNCTION", "SUBQUERY", "EMPTY"})
FORBIDDEN_TABLE = {"type": "BASE_TABLE", "table_name": "x.csv", "qualified_name": {"path": ["x.csv"]}}
PARSE = """
import duckdb, json, sys
given = json.load(sys.stdin)
connection = duckdb.connect()
ask = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)"
print(json.dumps([json.loads(connection.execute(ask, [sql]).fetchone()[0]) for sql in given]))
"""


def trees(statements: list[str]) -> list[Any]:
    return [told["statements"][0] for told in in_guest(PARSE, statements)]


def places(tree: Any) -> list[tuple[Any, Any, Any]]:
    """Where an expression or a table is: what holds it, under which key, and what to plant there."""
    found, level = [], [tree]
    while level:
        holder = level.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, dict | list):
                level.append(value)
            if isinstance(value, dict) and "class" in value:
                found.append((holder, key, FORBIDDEN))
            elif isinstance(value, dict) and str(value.get("type")) in TABLES_OF_A_TREE:
                found.append((holder, key, FORBIDDEN_TABLE))
    return found


def test_a_forbidden_call_or_table_is_found_wherever_it_is_planted() -> None:
    planted = 0
    for tree in trees(ACCEPTED):
        for holder, key, forbidden in places(tree):
            kept, holder[key] = holder[key], forbidden
            with pytest.raises(Refused) as refused:
                Walk(SHOP.id, TABLES, parameters=False).statement(tree)
            assert refused.value.name in {"getenv", "x.csv"} or key in {"function", "type_expr"}
            holder[key] = kept
            planted += 1
    assert planted > 2_500


def test_a_key_or_kind_that_nobody_reviewed_is_refused_wherever_it_is() -> None:
    for tree in trees(ACCEPTED[::10]):
        level = [tree]
        while level:
            node = level.pop()
            for strange, value in (("brand_new", True), ("type", "BRAND_NEW")):
                if strange == "type" and "type" not in node:
                    continue
                kept = dict(node)
                node[strange] = value
                with pytest.raises(Refused):
                    Walk(SHOP.id, TABLES, parameters=False).statement(tree)
                node.clear()
                node.update(kept)
            inner = [item for value in node.values() for item in (value if isinstance(value, list) else [value])]
            level += [item for item in inner if isinstance(item, dict)]


CATALOGUE = """
import duckdb, json
connection = duckdb.connect()
names = connection.execute("SELECT DISTINCT function_name, function_type FROM duckdb_functions()").fetchall()
types = connection.execute("SELECT DISTINCT lower(type_name) FROM duckdb_types()").fetchall()
print(json.dumps({"functions": names, "types": [name for name, in types], "version": duckdb.__version__}))
"""


def test_every_function_and_type_of_this_duckdb_is_classified() -> None:
    catalogue = in_guest(CATALOGUE, None)
    functions, types = read("functions"), read("types")
    groups = [*functions["allowed"].values(), *functions["varying"].values(), *functions["denied"].values()]
    classified = {name for group in groups for name in group["names"]} | set(functions["tables"])
    assert classified == {name for name, _ in catalogue["functions"]}
    assert sum(len(group["names"]) for group in groups) == len({name for group in groups for name in group["names"]})
    assert {*types["allowed"], *types["denied"]} == set(catalogue["types"])
    assert functions["version"] == types["version"] == catalogue["version"]


def test_nothing_is_both_allowed_and_denied() -> None:
    known = lists()
    assert not known.denied.keys() & known.functions
    assert not known.denied.keys() & known.table_functions
    risky = re.compile(
        r"read_|scan|glob|setting|sleep|exec|serialize|nextval|setval|seed|getvar|log$|pragma|duckdb_|query"
    )
    allowed = known.functions | known.table_functions
    assert {name for name in allowed if risky.search(name)} <= {"log", "json_serialize"}


RUN = """
import duckdb, json, sys
given = json.load(sys.stdin)
connection = duckdb.connect(config={"threads": "1", "max_execution_time": "200"})
said = []
for sql in given:
    try:
        connection.execute(sql).fetchmany(5)
    except Exception as error:
        said.append([sql, str(error)])
print(json.dumps(said))
"""


def test_what_is_taken_for_a_cte_is_one_for_duckdb() -> None:
    chance = random.Random(20261121)
    written = [nested(chance, 2, ()) for _ in range(1_500)]
    approved = []
    for sql, told in zip(written, in_guest(PARSE, written), strict=True):
        with contextlib.suppress(Refused):
            if not told["error"]:
                Walk("nothing", {}, parameters=False).statement(told["statements"][0])
                approved.append(sql)
    assert len(approved) > 300
    assert [said for said in in_guest(RUN, approved) if "does not exist" in said[1]] == []
