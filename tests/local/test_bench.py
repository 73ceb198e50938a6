"""The benchmark measures a real server on this host; what it finds is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from holdfast.engines.local import LocalConfig
from holdfast.testing.bench.bars import BARS
from holdfast.testing.bench.processes import parents

pytestmark = pytest.mark.anyio

SHORTEST = """
import json
from holdfast.settings import load_settings
from holdfast.testing.bench import Pace, benchmark
pace = Pace(3, 1, 1, slices={8: 1}, slice_seconds=0.2, settle_seconds=0.1)
print(json.dumps(benchmark(load_settings(), pace, 1, lambda _: None).as_data()))
"""


@pytest.mark.timeout(600)
async def test_one_pass_finds_a_figure_for_everything_this_host_has(config: LocalConfig) -> None:
    # In a process of its own, as it is used: the burst needs many open files, and children are its own.
    done = subprocess.run([sys.executable, "-c", SHORTEST], capture_output=True, text=True, timeout=550)  # noqa: ASYNC221
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    [found] = report["passes"]
    for kinds in found["latency"].values():
        assert {"Holdfast, warm", "Holdfast, cold", "bare process"} <= kinds.keys()
        assert all(0 < spread["p50"] <= spread["p90"] <= spread["p99"] for spread in kinds.values())
    for kinds in found["throughput"].values():
        assert all(rate["per_second"] >= 0 for rate in kinds.values())
        assert kinds["Holdfast, warm"]["driver_percent"] > 0
    assert all(found["processor_time"][who] > 0 for who in ("server", "launchers", "cells"))
    assert all(found["idle"][who] > 0 for who in ("server", "launchers", "cells", "stock"))
    assert sum(found["burst"]["answers"].values()) == 200
    assert (found["numpy_burst"]["answers"], found["numpy_burst"]["failed"]) == ({"200": 100}, 0)
    assert [flood["kept_bytes"] for flood in found["floods"]] == [1 << 20, 16 << 20]
    absent = {bar["name"] for bar in report["bars"] if bar["holds"] is None}
    assert len(absent) <= len(report["absent"])
    assert len(report["bars"]) == len(BARS)


def servers_of(pid: int) -> list[int]:
    return [child for child, parent in parents() if parent == pid and b"serve" in command_of(child)]


def command_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


async def test_a_benchmark_that_is_ended_leaves_no_server_behind(config: LocalConfig) -> None:
    command = [sys.executable, "-m", "holdfast.cli", "bench", "--quick"]
    async with await anyio.open_process(command) as bench:
        servers: list[int] = []
        while not servers:
            await anyio.sleep(0.02)
            servers = servers_of(bench.pid)
        bench.terminate()
        assert await bench.wait() == 143
    assert [pid for pid in servers if b"serve" in command_of(pid)] == []
