"""A server that is killed in the middle of a data run, and a database that does not answer."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from holdfast.settings import load_settings
from tests.conftest import lacks
from tests.postgres import cluster

SALES = "id,city\n1,Oslo\n2,Bergen\n"
FOREVER = "SELECT sum(a.range) FROM range(1000000) a, range(1000000) b"
PATIENCE_SECONDS = 30.0


@contextmanager
def serving(state: Path, store: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    settings = load_settings()
    own = {
        "HOLDFAST_STATE_DIR": str(state),
        "HOLDFAST_GUEST_ENV": str(settings.guest_environment),
        "HOLDFAST_LANGUAGES_DIR": str(settings.toolchains),
        "HOLDFAST_STORE": store,
        "HOLDFAST_POOL_SIZE": "0",
    }
    server = subprocess.Popen(
        (sys.executable, "-m", "holdfast.cli", "serve", "--port", "0"),
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield address(server), server
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    said = []
    for line in server.stdout:
        said.append(line)
        if "listens on " in line:
            return line.partition("listens on ")[2].split()[0]
    if any("isolation" in line or "guest" in line for line in said):
        lacks("local", f"the server does not start here: {said[-1]}")
    raise AssertionError("".join(said))


def call(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def ask_and_be_left(url: str) -> None:
    with suppress(OSError, ValueError):
        call(f"{url}/runs", {"dataset_id": "sales", "sql": FOREVER, "timeout": 60})


def until_it_runs(url: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for row in call(f"{url}/runs?kind=data&limit=1")[1]["runs"]:
            if call(f"{url}/runs/{row['run_id']}/status")[1]["status"] == "running":
                return str(row["run_id"])
        time.sleep(0.05)
    raise AssertionError("the run does not begin")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield "sqlite"
        return
    with cluster() as running:
        yield running.database()


@pytest.mark.timeout(120)
def test_killing_the_server_in_the_middle_of_a_run_leaves_no_capsule_running(store: str, tmp_path: Path) -> None:
    with serving(tmp_path, store) as (url, server):
        assert call(f"{url}/datasets", {"id": "sales", "files": {"sales.csv": SALES}})[0] == 201
        _, before = call(f"{url}/runs", {"dataset_id": "sales", "sql": "SELECT count(*) FROM sales"})
        waiting = threading.Thread(target=ask_and_be_left, args=(url,))
        waiting.start()
        run_id = until_it_runs(url)
        server.send_signal(signal.SIGKILL)
        waiting.join()
    with serving(tmp_path, store) as (url, _):
        _, capsule = call(f"{url}/runs/{run_id}")
        assert (capsule["status"], capsule["error"]["code"]) == ("failed", "server_stopped")
        assert capsule["ended_at"] is not None
        assert call(f"{url}/runs/{run_id}/status")[1]["status"] == "failed"
        assert call(f"{url}/runs/{before['run_id']}") == (200, before)
        rows = call(f"{url}/runs?kind=data")[1]["runs"]
        assert {row["status"] for row in rows} == {"failed", "succeeded"}
        assert call(f"{url}/runs/{before['run_id']}/replay", {})[1]["outcome"] == "identical"


@pytest.mark.timeout(120)
def test_a_locked_database_is_503_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path, "sqlite") as (url, _):
        assert call(f"{url}/datasets", {"id": "sales", "files": {"sales.csv": SALES}})[0] == 201
        question = {"dataset_id": "sales", "sql": "SELECT count(*) FROM sales"}
        _, before = call(f"{url}/runs", question)
        other = sqlite3.connect(tmp_path / "holdfast.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            status, problem = call(f"{url}/runs", question)
            assert (status, problem["code"]) == (503, "store_unavailable")
            assert call(f"{url}/runs/{before['run_id']}") == (200, before)
        finally:
            other.execute("ROLLBACK")
            other.close()
        status, after = call(f"{url}/runs", question)
        assert (status, after["result"]) == (200, before["result"])
        assert len(call(f"{url}/runs?kind=data")[1]["runs"]) == 2
