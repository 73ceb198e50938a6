"""The dataset that the statements are about, and the programs' Python, which has DuckDB and pandas."""

import json
import subprocess
from pathlib import Path
from typing import Any

from holdfast.settings import load_settings
from holdfast.types import Column, Dataset, DatasetTable

HERE = Path(__file__).parent
COLUMNS = {
    "orders": {
        "order_id": "INTEGER",
        "customer_id": "INTEGER",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "total": "DOUBLE",
        "status": "VARCHAR",
        "paid": "BOOLEAN",
    },
    "items": {"order_id": "INTEGER", "product": "VARCHAR", "quantity": "INTEGER", "price": "DOUBLE"},
    "customers": {"customer_id": "INTEGER", "name": "VARCHAR", "city": "VARCHAR"},
    'odd "table': {"a column": "INTEGER"},
}
SHOP = Dataset(
    id="shop",
    name="Shop",
    digest="0" * 64,
    tables=tuple(
        DatasetTable(
            name=table,
            columns=tuple(Column(name=name, type=type_name) for name, type_name in columns.items()),
            row_count=0,
        )
        for table, columns in COLUMNS.items()
    ),
)
ROWS = {
    "orders": "SELECT i, i % 5, DATE '2025-01-01' + i, TIMESTAMP '2025-01-01' + INTERVAL (i) HOUR, i * 1.5,"
    " ['A', 'B', NULL, 'Ace'][1 + i % 4], i % 2 = 0 FROM (SELECT i::INTEGER AS i FROM range(40) t(i))",
    "items": "SELECT i % 30, 'p' || i % 3, i % 4, i * 0.5 FROM range(60) t(i)",
    "customers": "SELECT i, 'n' || i, ['Rome', 'Oslo'][1 + i % 2] FROM range(6) t(i)",
    'odd "table': "SELECT i FROM range(3) t(i)",
}


def statements(name: str) -> list[str]:
    """A file of statements, one a line."""
    return [line for line in (HERE / name).read_text("utf-8").splitlines() if line and not line.startswith("--")]


def creating() -> list[str]:
    """SQL that makes the tables of the dataset."""
    made = []
    for table, columns in COLUMNS.items():
        quoted = table.replace('"', '""')
        listed = ", ".join(f'"{name}" {type_name}' for name, type_name in columns.items())
        made += [f'CREATE TABLE "{quoted}" ({listed})', f'INSERT INTO "{quoted}" {ROWS[table]}']
    return made


def in_guest(program: str, given: Any) -> Any:
    """What a program prints in the programs' environment, told `given` on its stdin; both are JSON."""
    python = load_settings().guest_environment / "bin" / "python"
    answer = subprocess.run(
        [python, "-c", program], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)
