"""Data runs, as both clients ask for them and read what is answered."""

import json
from typing import Any

import pytest

from holdfast.errors import InvalidFieldError, NotFoundError
from holdfast.types import Capsule, DataRunRequest
from tests.client.conftest import Connect, Told

LIMITS = {
    **{"wall_seconds": 1.0, "memory_bytes": 2, "disk_bytes": 3, "output_bytes": 4, "processes": 5, "open_files": 6},
    **{"cpu_shares": 7, "cpu_seconds": 8.0, "cpus": 0.5},
}
ISOLATION = {
    **{"engine": "local", "namespaces": ["pid"], "seccomp": "filter", "cgroup": "v2", "landlock": 4, "network": "none"},
    **{"no_new_privileges": True, "capabilities_dropped": True, "separate_users": True, "notes": ["n"]},
}
USAGE = {
    **{"wall_seconds": 1.0, "cpu_user_seconds": 0.5, "cpu_system_seconds": 0.25, "memory_peak_bytes": 9},
    **{"processes_peak": 2, "out_of_memory": False},
}
TABLE = {"columns": ["a"], "column_types": ["BIGINT"], "rows": [["12345678901234567890"]], "row_count": 1}
KEPT: dict[str, Any] = {
    "run_id": "run-1",
    "created_at": "2026-11-21T10:00:00Z",
    "ended_at": "2026-11-21T10:00:01Z",
    "dataset_id": "sales",
    "dataset_version_hash": "abc",
    "question": "Why?",
    "query_mode": "plan",
    "plan_json": {"table": "sales"},
    "compiled_sql": "SELECT 1",
    "python_code": None,
    "status": "succeeded",
    "result": {**TABLE, "total_rows": 2, "truncated": True},
    "error": {"code": "c", "message": "m", "name": "n", "position": 1, "line": 2, "hint": "h"},
    "exec_time_ms": 1.5,
    "stdout": "out",
    "stderr": "err",
    "notes": ["n"],
    "figures": [{"path": "a.png", "size_bytes": 1, "base64": "AA=="}],
    "key": "me",
    "engine": "local",
    "isolation": ISOLATION,
    "usage": USAGE,
    "limits": {"sandbox": LIMITS, "max_rows": 1, "max_output_bytes": 2},
    "libraries": {"duckdb": "2"},
    "result_hash": "sha256:1",
    "replay_of": "run-0",
}


def test_every_field_of_a_capsule_comes_back(connect: Connect, told: Told) -> None:
    assert KEPT.keys() == Capsule.model_fields.keys(), "every field has a value here"
    told.then(200, KEPT)
    assert connect(told.url).capsule("run/1").model_dump(mode="json") == KEPT
    assert told.asked[0][:2] == ("GET", "/runs/run%2F1")


@pytest.mark.parametrize("asked", [{"sql": "SELECT 1"}, {"plan": {"table": "sales"}}, {"python": "1"}])
def test_every_field_of_a_question_is_sent(asked: dict[str, Any], connect: Connect, told: Told) -> None:
    [mode] = asked
    more = {"query_type": mode, "question": "Why?", "timeout": 2.5, "max_rows": 3, "max_output_bytes": 4096}
    assert {*more, "dataset_id", "sql", "plan", "python"} == {*DataRunRequest.model_fields}
    told.then(200, KEPT)
    connect(told.url).ask("sales", **asked, **more)
    method, path, _, body = told.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/runs", {"dataset_id": "sales", **asked, **more})


def test_sql_is_what_is_asked_without_a_name(connect: Connect, told: Told) -> None:
    told.then(200, KEPT)
    connect(told.url).ask("sales", "SELECT 1")
    assert json.loads(told.asked[0][3]) == {"dataset_id": "sales", "sql": "SELECT 1"}
    with pytest.raises(InvalidFieldError):
        connect(told.url).ask("sales", "SELECT 1", python="1")


def test_a_replay_says_what_differs(connect: Connect, told: Told) -> None:
    cell = {"row": 0, "column": "a", "before": 1, "after": None, "only_in": None}
    replay = {"run_id": "run-2", "replay_of": "run-1", "outcome": "different", "reordered": False, "notes": ["n"]}
    told.then(200, {**replay, "different_cells": 1, "cells": [cell], "capsule": KEPT})
    found = connect(told.url).replay("run-1")
    assert found.model_dump(mode="json")["cells"] == [cell] and found.capsule.run_id == "run-1"
    assert told.asked[0][:2] == ("POST", "/runs/run-1/replay")


def test_runs_are_listed_looked_at_cancelled_exported_and_forgotten(connect: Connect, told: Told) -> None:
    client = connect(told.url)
    told.then(200, {"runs": [], "next": None})
    assert client.runs(kind="data", limit=5).runs == ()
    told.then(200, {"run_id": "run-1", "status": "queued"})
    assert client.run_status("run-1").status == "queued"
    told.then(200, KEPT)
    assert client.cancel("run-1").run_id == "run-1"
    told.then(200, TABLE)
    assert json.loads(client.export("run-1", "json")) == TABLE
    told.then(204, {})
    assert client.forget_run("run-1") is None
    assert [each[:2] for each in told.asked] == [
        ("GET", "/runs?kind=data&limit=5"),
        ("GET", "/runs/run-1/status"),
        ("POST", "/runs/run-1/cancel"),
        ("GET", "/runs/run-1/export/json"),
        ("DELETE", "/runs/run-1"),
    ]


def test_what_is_not_there_is_raised(connect: Connect, told: Told) -> None:
    told.then(404, {"code": "not_found", "detail": "There is no such data run."})
    with pytest.raises(NotFoundError, match="no such data run"):
        connect(told.url).capsule("run-1")
