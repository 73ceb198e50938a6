"""Everything the product does is the same on every engine: requests, answers, and what is left of them."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

Server = tuple[str, httpx.AsyncClient]
SALES = "id,city,amount\n1,Oslo,10.5\n2,Bergen,20\n3,Oslo,\n4,Tromsø,5.25\n"
PER_CITY = [["Bergen", 20.0], ["Oslo", 10.5], ["Tromsø", 5.25]]
QUERIES: list[dict[str, Any]] = [
    {"sql": "SELECT city, sum(amount) AS total FROM sales GROUP BY city ORDER BY city"},
    {"python_code": "result_df = sales.groupby('city', as_index=False)['amount'].sum()"},
    {
        "plan": {
            "table": "sales",
            "select": [{"column": "city"}, {"func": "sum", "column": "amount", "alias": "total"}],
            "group_by": ["city"],
            "order_by": [{"expr": "city", "direction": "asc"}],
        }
    },
]
PEEK = """
import pandas
os = pandas.io.common.os
result = f"{os.listdir('/data')} {os.access('/data/data.duckdb', os.W_OK) or os.access('/data', os.W_OK)}"
"""
TESTS = [{"type": "variable_value", "variable": "x", "expected": 3}, {"type": "output", "expected": "3"}]
STEPS = [{"run": "printf 'one two' > words.txt"}, {"run": 'echo "there are $(wc -w < words.txt)"'}]


async def sent(client: httpx.AsyncClient, path: str, expected: int = 200, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def test_a_run_with_everything_a_request_can_have(server: Server) -> None:
    name, client = server
    code = "import os, sys, other\nopen('a.txt', 'w').write(other.WORD)\nprint(sys.stdin.read(), sys.argv[1:])"
    more: dict[str, Any] = {"files": {"other.py": "WORD = 'made'"}, "artifacts": ["*.txt"], "environment": {"X": "y"}}
    code += "\nprint(os.environ['X'])"
    ran = await sent(client, "/run", code=code, stdin="in", args=["x"], mem_limit="200m", timeout=20, **more)
    assert (ran["status"], ran["stdout"], ran["stderr"], ran["exit_code"]) == ("succeeded", "in ['x']\ny\n", "", 0)
    assert [(each["path"], each["size_bytes"]) for each in ran["artifacts"]] == [("a.txt", 4)]
    assert (ran["limits"]["wall_seconds"], ran["limits"]["memory_bytes"]) == (20, 200 << 20)
    assert ran["isolation"]["engine"] == name


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", "failed"),
        ("import os; os.abort()", "signaled"),
        ("while True: pass", "timed_out"),
        ("x = bytearray(1 << 30)", "out_of_memory"),
        ("for _ in range(100): print('x' * (1 << 20))", "output_limit"),
        ("file = open('a', 'wb')\nfor _ in range(100): file.write(bytes(1 << 20))", "disk_limit"),
    ],
)
async def test_a_program_that_fails_does_so_alike(server: Server, code: str, status: str) -> None:
    timeout = 2 if status == "timed_out" else 30
    ran = await sent(server[1], "/run", code=code, timeout=timeout, mem_limit="128m", disk_limit="32m")
    assert ran["status"] == status


async def test_a_submission_is_graded(server: Server) -> None:
    graded = await sent(server[1], "/run", code="x = 1 + 2\nprint(x)", tests=TESTS)
    assert graded["allPassed"] and [each["passed"] for each in graded["testResults"]] == [True, True]
    assert not (await sent(server[1], "/run", code="x = 4\nprint(x)", tests=TESTS))["allPassed"]


async def test_a_session_keeps_what_it_was_told(server: Server) -> None:
    client = server[1]
    session = (await sent(client, "/sessions", 201))["session_id"]
    await sent(client, f"/sessions/{session}/run", code="x = 40; open('kept.txt', 'w').write('here')")
    said = await sent(client, f"/sessions/{session}/run", code="x + 2")
    assert said["displays"][-1]["data"]["text/plain"] == "42"
    assert (await client.get(f"/sessions/{session}/files/kept.txt")).content == b"here"
    assert (await client.delete(f"/sessions/{session}")).status_code == 204


async def test_files_become_a_dataset_that_can_be_asked_in_every_way(server: Server) -> None:
    client = server[1]
    await sent(client, "/datasets", 201, id="sales", files={"sales.csv": SALES})
    for query in QUERIES:
        capsule = await sent(client, "/runs", dataset_id="sales", **query)
        assert (capsule["status"], capsule["error"]) == ("succeeded", None)
        assert capsule["result"]["rows"] == PER_CITY
        again = await sent(client, f"/runs/{capsule['run_id']}/replay")
        assert again["outcome"] == "identical"
    refused = await sent(client, "/runs", dataset_id="sales", sql="DROP TABLE sales")
    assert refused["status"] == "rejected"
    seen = await sent(client, "/runs", dataset_id="sales", python_code=PEEK)
    assert seen["result"]["rows"] == [["['data.duckdb'] False"]], seen
    assert (await client.delete("/datasets/sales")).status_code == 200
    assert (await client.post("/runs", json={"dataset_id": "sales", "sql": "SELECT 1"})).status_code == 404


async def test_data_can_be_talked_to(server: Server) -> None:
    client = server[1]
    await sent(client, "/datasets", 201, id="talk", files={"sales.csv": SALES})
    said = await sent(client, "/chat", dataset_id="talk", message="How many sales are there?")
    assert (said["status"], said["result"]["rows"]) == ("succeeded", [[4]])


async def test_a_prebuilt_environment_has_what_its_script_made(server: Server) -> None:
    client = server[1]
    script = "mkdir -p lib/python3.11/site-packages; echo 'VALUE = 42' > lib/python3.11/site-packages/answer.py"
    await sent(client, "/prebuild", tag="answers", base_image="python", setup_script=script)
    ran = await sent(client, "/run", code="import answer; print(answer.VALUE)", image="answers")
    assert ran["stdout"] == "42\n", ran["stderr"]
    assert (await client.delete("/prebuilds/answers")).status_code == 200
    assert (await client.post("/run", json={"code": "1", "image": "answers"})).status_code == 404


async def test_a_workflow_does_its_steps(server: Server) -> None:
    client = server[1]
    task = await sent(client, "/tasks", 202, type="workflow", steps=STEPS)
    events = (await client.get(task["events_url"])).text
    assert "there are 2" in events, events
    assert (await client.get(f"/tasks/{task['id']}")).json()["status"] == "succeeded"


async def test_the_server_says_which_engine_it_has(server: Server) -> None:
    name, client = server
    health = (await client.get("/health")).json()
    assert (health["status"], health["engine"]) == ("ok", name)
