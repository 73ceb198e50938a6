"""`holdfast data` and `holdfast replay`, with a server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_data_runs import call, serving

SALES = "id,city\n1,Oslo\n2,Bergen\n3,\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("state"), "sqlite") as (url, _):
        assert call(f"{url}/datasets", {"id": "sales", "files": {"sales.csv": SALES}})[0] == 201
        yield url


def holdfast(url: str, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "holdfast.cli", *words, "--server", url)
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=50, check=False)


def test_a_question_is_asked_looked_at_exported_replayed_and_forgotten(url: str, tmp_path: Path) -> None:
    asked = holdfast(url, "data", "run", "sales", "--sql", "SELECT * FROM sales ORDER BY id")
    assert (asked.returncode, asked.stdout) == (0, "id  city\n--  ------\n1   Oslo\n2   Bergen\n3   NULL\n")
    run_id = asked.stderr.split()[-1]
    assert "3 rows" in asked.stderr
    shown = holdfast(url, "data", "show", run_id, "--json")
    assert json.loads(shown.stdout)["run_id"] == run_id
    assert holdfast(url, "data", "show", run_id).stdout == asked.stdout
    target = tmp_path / "result.csv"
    assert holdfast(url, "data", "export", run_id, "csv", "--out", str(target)).returncode == 0
    assert target.read_bytes() == b"id,city\r\n1,Oslo\r\n2,Bergen\r\n3,\r\n"
    replayed = holdfast(url, "replay", run_id)
    assert (replayed.returncode, replayed.stdout) == (0, "identical\n")
    assert holdfast(url, "data", "list").stdout.count("sql\tsucceeded") == 2
    assert holdfast(url, "data", "cancel", run_id).stdout == "succeeded\n"
    assert holdfast(url, "data", "rm", run_id).returncode == 0
    gone = holdfast(url, "data", "show", run_id)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.startswith("holdfast: There is no such")


def test_a_plan_comes_from_a_file_and_sql_from_stdin(url: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"table": "sales", "select": [{"func": "count", "column": "city", "alias": "n"}]}))
    assert holdfast(url, "data", "run", "sales", "--plan", str(plan)).stdout.split() == ["n", "-", "2"]
    answer = holdfast(url, "data", "run", "sales", "--sql", "-", "--json", stdin="SELECT 42 AS x")
    assert json.loads(answer.stdout)["result"]["rows"] == [[42]]
    plan = tmp_path / "plan.yaml"
    plan.write_text("table: sales\nselect: [city]  # of each\norder_by: [{expr: id}]\nlimit: 1\n")
    assert holdfast(url, "data", "run", "sales", "--plan", str(plan)).stdout.split() == ["city", "----", "Oslo"]
    plan.write_text("{")
    assert holdfast(url, "data", "run", "sales", "--plan", str(plan)).returncode == 2


def test_what_is_denied_or_fails_is_said_with_exit_code_1(url: str) -> None:
    denied = holdfast(url, "data", "run", "sales", "--sql", "DROP TABLE sales")
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "rejected" in denied.stderr and "not_a_read" in denied.stderr
    failed = holdfast(url, "data", "run", "sales", "--sql", "SELECT CAST(city AS INTEGER) FROM sales")
    assert failed.returncode == 1 and "Oslo" in failed.stderr
    different = holdfast(url, "data", "run", "sales", "--sql", "SELECT uuid() AS u")
    replayed = holdfast(url, "replay", different.stderr.splitlines()[0].split()[-1])
    assert replayed.returncode == 1 and replayed.stdout.startswith("different\nrow 0, u: ")


@pytest.mark.parametrize("words", [(), ("--sql", "SELECT 1", "--python", "x.py"), ("--plan", "/nowhere")])
def test_wrong_usage_is_exit_code_2(url: str, words: tuple[str, ...]) -> None:
    answer = holdfast(url, "data", "run", "sales", *words)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "Traceback" not in answer.stderr
