"""`POST /runs` and what stays of a run."""

import base64
import csv
import io
import json
from typing import Any

import anyio
import pytest

from holdfast.data.policy import SqlPolicy
from holdfast.errors import EngineError
from holdfast.types import OPERATOR
from tests.data_runs.conftest import Desk

pytestmark = pytest.mark.anyio

FOREVER = "SELECT sum(a.range) FROM range(1000000) a, range(1000000) b"
PLAN: dict[str, Any] = {
    "table": "sales",
    "select": [{"column": "city"}, {"func": "sum", "column": "amount", "alias": "total"}],
    "filters": [{"column": "city", "op": "!=", "value": "O'Slo"}],
    "group_by": ["city"],
    "order_by": [{"expr": "city", "direction": "asc"}],
}


async def test_sql_a_plan_and_python_come_to_the_same(desk: Desk) -> None:
    sql = await desk.ask(sql="SELECT city, sum(amount) AS total FROM sales GROUP BY city ORDER BY city")
    plan = await desk.ask(plan=PLAN)
    python = await desk.ask(python="result_df = sales.groupby('city', as_index=False)['amount'].sum()")
    rows = [["Bergen", 20.0], ["Oslo", 10.5], ["Tromsø", 5.25]]
    assert sql["result"]["rows"] == plan["result"]["rows"] == python["result"]["rows"] == rows
    assert [each["status"] for each in (sql, plan, python)] == ["succeeded"] * 3
    assert (sql["query_mode"], plan["query_mode"], python["query_mode"]) == ("sql", "plan", "python")


async def test_a_capsule_says_what_was_asked_of_which_data_and_what_held_it(desk: Desk) -> None:
    capsule = await desk.ask(plan=PLAN, question="How much per city?", timeout_seconds=7, max_rows=2)
    assert await desk.get(f"/runs/{capsule['run_id']}") == capsule
    dataset = await desk.app.datasets.get("sales", OPERATOR)
    assert (capsule["dataset_id"], capsule["dataset_version_hash"]) == ("sales", dataset.digest)
    assert (capsule["question"], capsule["plan_json"]) == ("How much per city?", PLAN)
    assert "'O''Slo'" in capsule["compiled_sql"]
    assert (capsule["engine"], capsule["isolation"]["seccomp"]) == ("local", "filter")
    assert capsule["limits"]["sandbox"]["wall_seconds"] == 7
    assert (capsule["limits"]["max_rows"], capsule["result"]["row_count"], capsule["result"]["total_rows"]) == (2, 2, 3)
    assert capsule["result"]["truncated"] is True
    assert {"python", "duckdb", "pandas"} <= capsule["libraries"].keys()
    assert capsule["result_hash"].startswith("sha256:") and capsule["exec_time_ms"] > 0
    assert capsule["created_at"] <= capsule["ended_at"]


async def test_the_names_of_the_earlier_system_are_understood(desk: Desk) -> None:
    given: dict[str, Any] = {"query_type": "sql", "sql": "SELECT 1 AS one", "python_code": None, "plan_json": None}
    assert (await desk.ask(**given))["result"]["rows"] == [[1]]
    assert (await desk.ask(query_type="python", python_code="result = 6 * 7"))["result"]["rows"] == [[42]]
    assert (await desk.ask(query_type="plan", plan_json={"dataset_id": "sales", **PLAN}))["status"] == "succeeded"


async def test_what_the_policy_denies_is_a_rejected_run_with_a_capsule(desk: Desk) -> None:
    capsule = await desk.ask(sql="SELECT * FROM read_csv('/etc/passwd')")
    assert (capsule["status"], capsule["result"], capsule["isolation"]) == ("rejected", None, None)
    assert capsule["error"]["code"] and capsule["error"]["message"] and capsule["error"]["position"] is not None
    assert await desk.get(f"/runs/{capsule['run_id']}") == capsule
    row = (await desk.get("/runs?kind=data&limit=1"))["runs"][0]
    assert (row["run_id"], row["status"], row["code"]) == (capsule["run_id"], "rejected", capsule["error"]["code"])
    assert await desk.get(f"/runs/{capsule['run_id']}/status") == {"run_id": capsule["run_id"], "status": "rejected"}


async def test_what_goes_wrong_in_a_query_is_a_result(desk: Desk) -> None:
    failed = await desk.ask(sql="SELECT 1 / (id - id), CAST(city AS INTEGER) FROM sales")
    assert (failed["status"], failed["error"]["code"]) == ("failed", "SQL_EXECUTION_ERROR")
    raised = await desk.ask(python="x = 1\nraise KeyError('no such thing')")
    assert (raised["status"], raised["error"]["line"]) == ("failed", 2)
    late = await desk.ask(sql=FOREVER, timeout=0.5)
    assert (late["status"], late["result"]) == ("timed_out", None)
    assert (await desk.get(f"/runs/{late['run_id']}/status"))["status"] == "timed_out"


async def test_every_data_run_is_one_row_among_all_runs(desk: Desk) -> None:
    before = await desk.get("/runs?limit=1000")
    capsule = await desk.ask(sql="SELECT 1")
    ran = (await desk.http.post("/run", json={"code": "print(1)"})).json()
    after = await desk.get("/runs?limit=1000")
    new = after["runs"][: len(after["runs"]) - len(before["runs"])]
    assert [(row["run_id"], row["kind"]) for row in new] == [(ran["run_id"], "run"), (capsule["run_id"], "data")]
    assert (new[1]["usage"], new[1]["isolation"], new[1]["image"]) == (capsule["usage"], capsule["isolation"], "sql")
    assert (await desk.get(f"/runs/{ran['run_id']}"))["kind"] == "run"
    assert (await desk.get(f"/runs/{ran['run_id']}/status"))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, None),
        ({"sql": "SELECT 1", "python": "1"}, 422, None),
        ({"sql": "SELECT 1", "query_type": "python"}, 422, None),
        ({"sql": "SELECT 1", "query_type": "chat"}, 422, "query_type"),
        ({"sql": "SELECT '\0'"}, 422, "sql"),
        ({"python": "x" * (1 << 21)}, 422, "python"),
        ({"sql": "SELECT 1", "timeout": 0}, 422, "timeout"),
        ({"sql": "SELECT 1", "timeout": 61}, 422, "timeout"),
        ({"sql": "SELECT 1", "max_rows": 1001}, 422, "max_rows"),
        ({"sql": "SELECT 1", "max_output_bytes": 1_000_001}, 422, "max_output_bytes"),
        ({"sql": "SELECT 1", "colour": "red"}, 422, "colour"),
        ({"sql": "SELECT 1", "dataset_id": "nowhere"}, 404, "dataset_id"),
        ({"sql": "SELECT 1", "dataset_id": "../../etc"}, 404, "dataset_id"),
        ({"plan": {**PLAN, "dataset_id": "other"}}, 422, "plan.dataset_id"),
        ({"plan": {**PLAN, "filters": [{"column": "city", "op": "like", "value": 1}]}}, 422, "filters[0].op"),
        ({"plan": {**PLAN, "group_by": ["nothing"]}}, 422, "group_by[0]"),
    ],
)
async def test_a_request_that_makes_no_sense_is_one_sentence_about_its_field(
    desk: Desk, body: dict[str, Any], status: int, field: str | None
) -> None:
    count = len((await desk.get("/runs?kind=data&limit=1000"))["runs"])
    problem = await desk.refused(status, **body)
    assert isinstance(problem["detail"], str) and problem.get("field") == field
    assert len((await desk.get("/runs?kind=data&limit=1000"))["runs"]) == count


async def test_an_unknown_run_is_404_wherever_it_is_asked_for(desk: Desk) -> None:
    for method, path in (
        *(("GET", ""), ("GET", "/status"), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/replay")),
        ("GET", "/export/csv"),
    ):
        answer = await desk.http.request(method, f"/runs/run-0{path}", json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


async def running(desk: Desk) -> str:
    """The id of the data run that goes on."""
    with anyio.fail_after(30):
        while True:
            row = (await desk.get("/runs?kind=data&limit=1"))["runs"][0]
            if (await desk.get(f"/runs/{row['run_id']}/status"))["status"] == "running":
                return str(row["run_id"])
            await anyio.sleep(0.02)


async def test_a_run_can_be_cancelled_and_whoever_waits_is_told(desk: Desk) -> None:
    told: list[Any] = []

    async def ask() -> None:
        told.append(await desk.ask(sql=FOREVER, timeout=60))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        run_id = await running(desk)
        cancelled = (await desk.http.post(f"/runs/{run_id}/cancel", json={})).json()
    assert told == [cancelled]
    assert (cancelled["status"], cancelled["error"]["code"]) == ("cancelled", "cancelled")
    again = await desk.http.post(f"/runs/{run_id}/cancel", json={})
    assert (again.status_code, again.json()) == (200, cancelled)


async def test_a_run_that_goes_on_is_running_also_in_the_list(desk: Desk) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: desk.ask(sql=FOREVER, timeout=60))
        run_id = await running(desk)
        row = (await desk.get("/runs?kind=data&limit=1"))["runs"][0]
        assert (row["run_id"], row["status"]) == (run_id, "running")
        await desk.http.post(f"/runs/{run_id}/cancel", json={})


async def test_lambdas_are_taken_in_the_spelling_of_now_and_of_the_earlier_system(desk: Desk) -> None:
    old, new = "list_transform([1, 2], x -> x + 1)", "list_transform([1, 2], lambda x: x + 1)"
    told = await desk.ask(sql=f"""SELECT {old}, {new}, '{{"a": [5]}}'::JSON -> 'a' ->> 0""")
    assert (told["error"], told["result"] and told["result"]["rows"]) == (None, [[[2, 3], [2, 3], "5"]])


async def test_a_client_that_leaves_ends_its_run(desk: Desk) -> None:
    with anyio.move_on_after(20) as patience:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: desk.ask(sql=FOREVER, timeout=60))
            run_id = await running(desk)
            group.cancel_scope.cancel()
    assert not patience.cancelled_caught
    assert (await desk.get(f"/runs/{run_id}"))["status"] == "cancelled"
    assert desk.app.executor.admission.running == 0


async def test_a_run_that_is_forgotten_is_ended_first(desk: Desk) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: desk.ask(sql=FOREVER, timeout=60))
        run_id = await running(desk)
        assert (await desk.http.delete(f"/runs/{run_id}")).status_code == 204
    assert (await desk.http.get(f"/runs/{run_id}")).status_code == 404
    assert run_id not in {row["run_id"] for row in (await desk.get("/runs?kind=data"))["runs"]}


async def test_a_sandbox_that_is_lost_is_503_and_a_failed_capsule(desk: Desk) -> None:
    create = desk.app.executor.engine.create

    async def fail(spec: Any) -> Any:
        if spec.data:
            raise EngineError("The launcher is gone.")
        return await create(spec)

    desk.app.executor.engine.create = fail  # type: ignore[method-assign]
    try:
        assert (await desk.refused(503, sql="SELECT 2"))["code"] == "engine_error"
    finally:
        desk.app.executor.engine.create = create  # type: ignore[method-assign]
    row = (await desk.get("/runs?kind=data&limit=1"))["runs"][0]
    capsule = await desk.get(f"/runs/{row['run_id']}")
    assert (capsule["status"], capsule["error"]["code"], row["code"]) == ("failed", "engine_error", "engine_error")


async def test_a_policy_that_cannot_judge_is_503_and_a_failed_capsule(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise EngineError("The parser of SQL did not start.")

    with monkeypatch.context() as changed:
        changed.setattr(SqlPolicy, "check", fail)
        assert (await desk.refused(503, sql="SELECT 3"))["code"] == "engine_error"
    row = (await desk.get("/runs?kind=data&limit=1"))["runs"][0]
    assert (row["status"], row["code"]) == ("failed", "engine_error")


async def test_a_client_that_leaves_while_its_sql_is_judged_leaves_a_cancelled_capsule(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging = anyio.Event()

    async def wait(*_: Any, **__: Any) -> Any:
        judging.set()
        await anyio.sleep_forever()

    with monkeypatch.context() as changed:
        changed.setattr(SqlPolicy, "check", wait)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: desk.ask(sql="SELECT 4"))
            await judging.wait()
            group.cancel_scope.cancel()
    row = (await desk.get("/runs?kind=data&limit=1"))["runs"][0]
    assert (row["status"], row["code"]) == ("cancelled", "cancelled")


async def test_odd_text_of_programs_is_kept_as_it_is(desk: Desk) -> None:
    code = "print('a\\0b\\u2028')\nresult_rows = [['x\\0y', 10**40, float('nan'), 'é🎉']]"
    capsule = await desk.ask(python=code)
    assert await desk.get(f"/runs/{capsule['run_id']}") == capsule
    assert capsule["stdout"].startswith("a\0b\u2028")
    raised = await desk.ask(python="raise ValueError('\\0' + chr(0xd800) * 3 + 'x' * 100000)")
    assert raised["status"] == "failed"
    assert await desk.get(f"/runs/{raised['run_id']}") == raised


async def test_csv_and_json_hold_the_result(desk: Desk) -> None:
    capsule = await desk.ask(sql="SELECT id, city, amount, '' AS empty, 'a \"b\", c\n' AS odd FROM sales ORDER BY id")
    at = f"/runs/{capsule['run_id']}/export"
    answer = await desk.http.get(f"{at}/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"{capsule['run_id']}.csv" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows[0] == ["id", "city", "amount", "empty", "odd"]
    assert rows[1] == ["1", "Oslo", "10.5", "", 'a "b", c\n']
    assert '\n3,Oslo,,"",' in answer.text, "nothing and the empty text are two things"
    assert (await desk.http.get(f"{at}/json")).json() == capsule["result"]


async def test_parquet_has_the_types_of_the_result(desk: Desk) -> None:
    columns = "id, city, amount, DATE '9999-12-31' AS d, 1.50::DECIMAL(9,2) AS m, 2::HUGEINT ** 100 AS h"
    capsule = await desk.ask(
        sql=f"SELECT {columns}, 'x'::BLOB AS b, [1, NULL] AS l, {{'a': 1}} AS s, id FROM sales ORDER BY ALL"
    )
    content = (await desk.http.get(f"/runs/{capsule['run_id']}/export/parquet")).content
    await desk.app.executor.admission.wait_until_idle()
    described = "SELECT column_name, column_type FROM (DESCRIBE FROM 'x.parquet')"
    queries = (described, "SELECT city, d, m, b, l, s FROM 'x.parquet' WHERE id = 4")
    code = "\n".join(["import duckdb", *(f"print(duckdb.sql({query!r}).fetchall())" for query in queries)])
    body = {"code": code, "files": {"x.parquet": {"base64": base64.b64encode(content).decode()}}}
    types, rows = (await desk.http.post("/run", json=body)).json()["stdout"].splitlines()
    assert "('d', 'DATE'), ('m', 'DECIMAL(9,2)')" in types
    assert "('b', 'BLOB'), ('l', 'INTEGER[]'), ('s', 'STRUCT(a INTEGER)')" in types
    assert "Tromsø" in rows and "datetime.date(9999, 12, 31), Decimal('1.50'), b'x', [1, None], {'a': 1}" in rows


async def test_sql_and_notebooks_say_how_it_was_done(desk: Desk) -> None:
    capsule = await desk.ask(plan=PLAN, question="Why?")
    text = (await desk.http.get(f"/runs/{capsule['run_id']}/export/sql")).text
    assert text.endswith(capsule["compiled_sql"] + "\n")
    assert (await desk.ask(sql=text))["result"] == capsule["result"]
    notebook = (await desk.http.get(f"/runs/{capsule['run_id']}/export/ipynb")).json()
    assert (notebook["nbformat"], [cell["cell_type"] for cell in notebook["cells"]]) == (
        4,
        ["markdown", "code", "code"],
    )
    assert json.dumps(capsule["compiled_sql"]) in notebook["cells"][2]["source"]
    assert "Bergen\t20" in notebook["cells"][2]["outputs"][0]["data"]["text/plain"]
    for cell in notebook["cells"][1:]:
        compile(cell["source"], "notebook", "exec")


async def test_what_a_run_does_not_have_is_not_exported(desk: Desk) -> None:
    failed = await desk.ask(python="1 / 0")
    for kind in ("csv", "json", "parquet", "sql", "xls"):
        answer = await desk.http.get(f"/runs/{failed['run_id']}/export/{kind}")
        assert (answer.status_code, answer.json()["field"]) == (422, "format"), kind
    assert (await desk.http.get(f"/runs/{failed['run_id']}/export/ipynb")).status_code == 200
