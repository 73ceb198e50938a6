"""The demo datasets: the same everywhere, of known size, and with an answer to each of their prompts."""

import hashlib
import json
from typing import Any

import pytest

from holdfast.data import demo
from holdfast.data.demo import ANCHOR
from holdfast.types import OPERATOR
from tests.data.conftest import Shelf

pytestmark = pytest.mark.anyio

REGISTRY = {entry["id"]: entry for entry in json.loads(demo.registry())["datasets"]}

# Prompt by prompt, in the order of the registry: a query, how many rows it has, and the first of them.
GOLD: dict[str, list[tuple[str, int, list[Any]]]] = {
    "ecommerce": [
        (
            "SELECT product_id, round(sum(quantity * price * (1 - discount / 100)), 2) AS revenue FROM order_items "
            "GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 10",
            10,
            [201, 249565.38],
        ),
        (
            "SELECT category, round(100.0 * avg(returned::INT), 2) FROM order_items JOIN orders USING (order_id) "
            "GROUP BY category ORDER BY category",
            5,
            ["Books", 31.43],
        ),
        (
            "SELECT category, round(avg(discount), 3) FROM order_items GROUP BY category ORDER BY category",
            5,
            ["Books", 7.27],
        ),
        (
            "SELECT product_id, name, stock FROM inventory WHERE category = 'Electronics' AND stock < 20 "
            "ORDER BY stock, product_id",
            62,
            [218, "Red Speaker", 0],
        ),
        (
            "SELECT customer_id, round(sum(total), 2) AS spent FROM orders WHERE status = 'completed' "
            "GROUP BY customer_id ORDER BY spent DESC, customer_id LIMIT 20",
            20,
            [1, 25907.33],
        ),
        (
            "SELECT order_id, order_date, total FROM orders WHERE returned AND total > 100 "
            "AND order_date BETWEEN '2026-01-01' AND '2026-01-31' ORDER BY total DESC, order_id",
            213,
            [4526, "2026-01-11", 7231.34],
        ),
    ],
    "support": [
        (
            "SELECT priority, round(100.0 * avg(sla_met::INT), 2) FROM tickets GROUP BY priority ORDER BY priority",
            4,
            ["Critical", 71.56],
        ),
        (
            "SELECT category, round(avg(csat_score), 3), count(csat_score) FROM tickets "
            "GROUP BY category ORDER BY category",
            5,
            ["Account", 3.862, 537],
        ),
        (
            "SELECT ticket_id, created_at FROM tickets WHERE priority = 'Critical' AND status = 'Open' "
            "ORDER BY created_at, ticket_id",
            57,
            [6066, "2026-02-01 05:19:12"],
        ),
        (
            "SELECT category, round(avg(resolution_time_hours), 3) FROM tickets GROUP BY category ORDER BY category",
            5,
            ["Account", 33.399],
        ),
        (
            "SELECT ticket_id, created_at FROM tickets WHERE NOT sla_met AND created_at >= '2026-01-26 12:00' "
            "ORDER BY ticket_id",
            596,
            [5207, "2026-01-26 12:14:24"],
        ),
        (
            "SELECT ticket_id, csat_score FROM tickets WHERE status = 'Resolved' AND csat_score <= 2 "
            "AND resolved_at >= '2026-01-01' AND resolved_at < '2026-02-01' ORDER BY ticket_id",
            107,
            [2917, 2],
        ),
    ],
    "sensors": [
        (
            "SELECT location, count(*) FROM sensors WHERE anomaly_flag AND timestamp >= TIMESTAMP '2026-02-01 12:00' "
            "GROUP BY location ORDER BY location",
            10,
            ["Assembly Hall", 77],
        ),
        (
            "SELECT zone, round(avg(temperature_c), 3), round(avg(humidity_pct), 3) FROM sensors "
            "GROUP BY zone ORDER BY zone",
            4,
            ["East", 34.573, 47.848],
        ),
        (
            "SELECT sensor_id, timestamp, temperature_c FROM sensors WHERE anomaly_type = 'high_temperature' "
            "AND timestamp >= TIMESTAMP '2026-01-26 12:00' ORDER BY timestamp, sensor_id",
            385,
            ["SEN-027", "2026-01-26 14:14:42", 56.3],
        ),
        (
            "SELECT sensor_id, arg_max(battery_pct, timestamp) AS battery FROM sensors GROUP BY sensor_id "
            "HAVING battery < 20 ORDER BY battery, sensor_id",
            16,
            ["SEN-129", 4.4],
        ),
        ("SELECT status, count(*) FROM sensors GROUP BY status ORDER BY status", 3, ["maintenance", 2599]),
        (
            "SELECT sensor_id, timestamp, vibration_mm_s FROM sensors WHERE vibration_mm_s > 10 "
            "AND timestamp >= TIMESTAMP '2026-02-02 06:00' ORDER BY vibration_mm_s DESC, sensor_id",
            46,
            ["SEN-075", "2026-02-02 10:58:22", 19.76],
        ),
    ],
}

COUNTS: list[tuple[str, str, dict[str, int]]] = [
    (
        "ecommerce",
        "SELECT status, count(*) FROM orders GROUP BY 1",
        {"completed": 2470, "returned": 1416, "cancelled": 132},
    ),
    (
        "ecommerce",
        "SELECT category, count(*) FROM inventory GROUP BY 1",
        {"Clothing": 175, "Electronics": 150, "Home": 100, "Books": 50, "Toys": 25},
    ),
    ("ecommerce", "SELECT 'low', count(*) FROM inventory WHERE stock < 20", {"low": 189}),
    (
        "support",
        "SELECT priority, count(*) FROM tickets GROUP BY 1",
        {"Low": 3099, "Medium": 2000, "High": 991, "Critical": 327},
    ),
    ("support", "SELECT status, count(*) FROM tickets GROUP BY 1", {"Resolved": 4805, "Open": 1267, "Closed": 345}),
    ("support", "SELECT 'scores', count(csat_score) FROM tickets", {"scores": 2929}),
    ("support", "SELECT 'in time', count(*) FROM tickets WHERE sla_met", {"in time": 4651}),
    ("sensors", "SELECT 'sensors', count(DISTINCT sensor_id) FROM sensors", {"sensors": 150}),
]

# Each has to be empty: what does not agree within a dataset.
ODD = {
    "an item of no order": ("ecommerce", "FROM order_items ANTI JOIN orders USING (order_id)"),
    "an order without items": ("ecommerce", "FROM orders ANTI JOIN order_items USING (order_id)"),
    "an item of another category": (
        "ecommerce",
        "FROM order_items i JOIN inventory p USING (product_id) WHERE i.category <> p.category",
    ),
    "a total that is none": (
        "ecommerce",
        "SELECT order_id FROM orders JOIN order_items USING (order_id) GROUP BY order_id, total "
        "HAVING abs(total - sum(quantity * price * (1 - discount / 100))) > 0.011",
    ),
    "an order returned or not": ("ecommerce", "FROM orders WHERE returned <> (status = 'returned')"),
    "a ticket from the future": ("support", f"FROM tickets WHERE greatest(created_at, resolved_at) > '{ANCHOR}'"),
    "an open ticket resolved": ("support", "FROM tickets WHERE (status = 'Open') <> (resolved_at IS NULL)"),
    "hours that are others": (
        "support",
        "FROM tickets WHERE abs(epoch(resolved_at - created_at) / 3600 - resolution_time_hours) > 0.01",
    ),
    "a reading from the future": ("sensors", f"FROM sensors WHERE timestamp > '{ANCHOR}'"),
    "an anomaly of no type": ("sensors", "FROM sensors WHERE anomaly_flag <> (anomaly_type IS NOT NULL)"),
}


@pytest.mark.parametrize("dataset", REGISTRY)
def test_the_registry_says_what_the_generators_make(dataset: str) -> None:
    entry, made = REGISTRY[dataset], demo.files(dataset)
    assert (
        entry["version_hash"] == "sha256:" + hashlib.sha256(b"".join(made[name] for name in sorted(made))).hexdigest()
    )
    assert entry["size_bytes"] == sum(map(len, made.values()))
    counts = {file["path"]: file["row_count"] for file in entry["files"]}
    assert counts == {name: data.count(b"\n") - 1 for name, data in made.items()}
    for file in entry["files"]:
        assert made[file["path"]].partition(b"\n")[0].decode() == ",".join(file["schema"])
    assert entry["row_count"] == {"ecommerce": 13_526, "support": 6_417, "sensors": 49_950}[dataset]


async def test_the_demo_datasets_are_there_with_what_the_registry_says_of_them(shelf: Shelf) -> None:
    listed = (await shelf.app.datasets.list(OPERATOR)).datasets
    found = {each.id: each for each in listed}
    for name, entry in REGISTRY.items():
        assert (found[name].name, found[name].description) == (entry["name"], entry["description"])
        assert list(found[name].prompts) == entry["prompts"]
        assert found[name].row_count == entry["row_count"]
        dataset = await shelf.app.datasets.get(name, OPERATOR)
        for table, file in zip(dataset.tables, entry["files"], strict=True):
            assert (table.name, table.row_count) == (file["name"], file["row_count"])
            assert [(column.name, column.description) for column in table.columns] == [
                (column, said["description"]) for column, said in file["schema"].items()
            ]
    links = (await shelf.app.datasets.get("ecommerce", OPERATOR)).relationships
    assert [(link.from_table, link.from_column, link.to_table, link.to_column) for link in links] == [
        ("order_items", "order_id", "orders", "order_id"),
        ("order_items", "product_id", "inventory", "product_id"),
    ]


@pytest.mark.parametrize(
    ("dataset", "number"),
    [(name, number) for name, entry in REGISTRY.items() for number in range(len(entry["prompts"]))],
)
async def test_every_prompt_has_an_answer(shelf: Shelf, dataset: str, number: int) -> None:
    assert len(GOLD[dataset]) == len(REGISTRY[dataset]["prompts"]) == 6
    sql, count, first = GOLD[dataset][number]
    rows = await shelf.ask((await shelf.app.datasets.get(dataset, OPERATOR)).digest, sql)
    assert (len(rows), rows[0]) == (count, first)


@pytest.mark.parametrize(("dataset", "sql", "counts"), COUNTS)
async def test_the_counts_are_as_they_should_be(shelf: Shelf, dataset: str, sql: str, counts: dict[str, int]) -> None:
    rows = await shelf.ask((await shelf.app.datasets.get(dataset, OPERATOR)).digest, sql)
    assert {row[0]: row[1] for row in rows} == counts


@pytest.mark.parametrize("what", ODD)
async def test_the_tables_agree_with_one_another(shelf: Shelf, what: str) -> None:
    dataset, sql = ODD[what]
    assert await shelf.ask((await shelf.app.datasets.get(dataset, OPERATOR)).digest, f"{sql} LIMIT 3") == []
