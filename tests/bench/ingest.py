"""Ingestion of a large CSV: how long it takes, what becomes of it, and the memory of the server meanwhile.

`python -m tests.bench.ingest [MILLIONS OF ROWS]` prints what it measures; ten millions are 1 GB.
"""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from holdfast.app import open_app
from holdfast.settings import load_settings
from holdfast.types import OPERATOR, DatasetWish

PIECE = 1 << 18
_MAKE = """
import duckdb, sys
duckdb.connect().execute(f'''COPY (
  SELECT i AS id, 'customer-' || lpad((hash(i) % 500000)::VARCHAR, 9, '0') AS customer,
    ['north', 'south', 'east', 'west', 'centre'][(hash(i * 7) % 5 + 1)::INT] AS region,
    DATE '2020-01-01' + (hash(i * 3) % 2000)::INT AS day, round((hash(i * 11) % 1000000) / 100.0, 2) AS amount,
    hash(i * 13) % 100 AS quantity, 'note ' || md5(i::VARCHAR) || ' text' AS note,
    CASE WHEN i % 10 = 0 THEN NULL ELSE (hash(i * 17) % 1000) / 10.0 END AS score
  FROM range({sys.argv[2]}) t(i)) TO '{sys.argv[1]}' (HEADER)''')
"""


def make(path: Path, rows: int) -> None:
    """Our own data, made outside of any sandbox by the interpreter of programs."""
    python = load_settings().guest_environment / "bin" / "python"
    subprocess.run([str(python), "-c", _MAKE, str(path), str(rows)], check=True)


async def pieces(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while piece := await file.read(PIECE):
            yield piece


async def measure(folder: Path, rows: int) -> None:
    source = folder / "big.csv"
    make(source, rows)
    usual = load_settings()
    settings = load_settings({"state_dir": folder, "guest_env": usual.guest_environment, "pool_size": 0})
    async with open_app(settings, {"python"}) as app:
        before = _peak()
        began = time.monotonic()
        async with app.datasets.receiving() as upload:
            await upload.receive(source.name, pieces(source))
            received = time.monotonic() - began
            report = await app.datasets.add(upload, DatasetWish(), OPERATOR)
    assert report.dataset is not None
    megabytes = source.stat().st_size / 1e6
    print(f"{rows:,} rows, {megabytes:,.0f} MB: received in {received:.1f} s, read in {report.seconds:.1f} s,")
    print(f"kept in {report.dataset.size_bytes / 1e6:,.0f} MB; peak memory of the server +{_peak() - before:.0f} MB")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory(prefix=f"holdfast-bench-{os.getpid()}-") as place:
        asyncio.run(measure(Path(place), int(millions * 1_000_000)))
