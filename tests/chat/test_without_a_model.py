"""The chat without a language model: modes, suggested questions, rules, threads, owners, charts."""

import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.agents import numbers
from holdfast.api import create_api
from holdfast.data import demo
from holdfast.data.charting import chosen, specification
from holdfast.types import Table
from tests.chat.conftest import events_in, talking
from tests.data.test_demo import GOLD
from tests.data_runs.conftest import Desk

pytestmark = pytest.mark.anyio

PROMPTS = {entry["id"]: entry["prompts"] for entry in json.loads(demo.registry())["datasets"]}
SUGGESTED = [(name, number, prompt) for name, prompts in PROMPTS.items() for number, prompt in enumerate(prompts)]


@pytest.mark.parametrize(("dataset", "number", "prompt"), SUGGESTED)
async def test_a_suggested_question_has_its_right_answer(desk: Desk, dataset: str, number: int, prompt: str) -> None:
    async with talking(desk, []) as talk:
        said = await talk.say(prompt, dataset=dataset, max_rows=1000)
    assert (said["status"], said["details"]["planner"]) == ("succeeded", "suggested")
    _, rows, first = GOLD[dataset][number]
    assert said["result"]["total_rows"] == rows
    assert [str(value) for value in said["result"]["rows"][0]] == [str(value) for value in first]


def test_there_are_eighteen_suggested_questions() -> None:
    assert len(SUGGESTED) == 18


@pytest.mark.parametrize(
    ("message", "status", "planner"),
    [
        ("SQL: SELECT count(*) AS n FROM sales", "succeeded", "sql"),
        ("  sql:select 1 AS one FROM sales LIMIT 1", "succeeded", "sql"),
        ("PYTHON: result = len(sales)", "succeeded", "python"),
        ("SQL: DROP TABLE sales", "rejected", "sql"),
        ("SQL: SELECT nothing FROM sales", "failed", "sql"),
        ("PYTHON: result = 1 / 0", "failed", "python"),
        ("SQL:", "rejected", "sql"),
        ("How many sales are there?", "succeeded", "simple"),
        ("Why do sales in Oslo decline?", "rejected", "simple"),
    ],
)
async def test_every_mode_has_its_answer(desk: Desk, message: str, status: str, planner: str) -> None:
    async with talking(desk, []) as talk:
        said = await talk.say(message)
    assert (said["status"], said["details"]["planner"]) == (status, planner), said
    assert said["usage"] is None
    assert (said["result"]["error"] is None) == (status == "succeeded")


async def test_what_is_not_understood_is_not_answered_and_says_so(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        said = await talk.say("Explain the margins of the third quarter")
    assert said["details"]["stop_reason"] == "not_sure"
    assert "No language model" in said["assistant_message"] and said["run_id"] is None


async def test_a_question_that_means_two_things_is_asked_back_and_answered(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        first = await talk.say("How many electronics are there?", dataset="ecommerce")
        assert first["status"] == "clarification" and len(first["clarification"]["options"]) == 2
        label = next(each["label"] for each in first["clarification"]["options"] if "inventory" in each["label"])
        second = await talk.say(label, dataset="ecommerce", thread_id=first["thread_id"])
        messages = (await talk.http.get(f"/threads/{first['thread_id']}/messages")).json()["messages"]
    assert (second["status"], second["result"]["rows"]) == ("succeeded", [[150]])
    assert [each["role"] for each in messages] == ["user", "assistant"] * 2
    assert messages[1]["metadata"]["clarification"]["options"] and messages[3]["run_id"] == second["run_id"]


async def test_a_stream_has_the_names_of_the_seed(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        events = await talk.events("SQL: SELECT city, count(*) AS n FROM sales GROUP BY city")
    kinds = [each["type"] for each in events]
    assert kinds == ["status", "tool_call", "status", "status", "tool_result", "status", "token", "result", "done"]
    assert events[-2]["run_id"] == events[-1]["run_id"]
    assert events[-2]["chart"]["choice"]["mark"] == "bar"


async def test_an_unknown_dataset_is_404(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        assert (await talk.say("How many?", status=404, dataset="nothing"))["code"] == "not_found"
        answer = await talk.http.post("/chat/stream", json={"dataset_id": "nothing", "message": "x"})
        assert answer.status_code == 404


async def test_threads_are_listed_shown_and_forgotten(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        for number in range(3):
            await talk.say("How many sales are there?", thread_id=f"list-{number}")
        page = (await talk.http.get("/threads?limit=2")).json()
        assert [each["thread_id"] for each in page["threads"]] == ["list-2", "list-1"]
        older = (await talk.http.get(f"/threads?limit=1&before={page['next']}")).json()
        assert older["threads"][0]["thread_id"] == "list-0"
        assert (await talk.http.get("/threads/list-0")).json()["message_count"] == 2
        assert (await talk.http.delete("/threads/list-0")).status_code == 204
        for path in ("", "/messages", "/events"):
            assert (await talk.http.get(f"/threads/list-0{path}")).status_code == 404


async def test_a_thread_belongs_to_its_key(desk: Desk) -> None:
    mine, other = desk.app.keys.add("chat-mine"), desk.app.keys.add("chat-other")
    transport = httpx.ASGITransport(create_api(desk.app), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            keys = [{"X-API-Key": each} for each in (mine, other)]
            body = {"dataset_id": "ecommerce", "message": "How many orders are there?", "thread_id": "owned"}
            assert (await http.post("/chat", json=body, headers=keys[0])).status_code == 200
            for method, path in (
                ("GET", "/threads/owned"),
                ("GET", "/threads/owned/messages"),
                ("GET", "/threads/owned/events"),
                ("POST", "/threads/owned/cancel"),
                ("DELETE", "/threads/owned"),
            ):
                answer = await http.request(method, path, headers=keys[1], json={} if method == "POST" else None)
                assert answer.status_code == 404, path
            assert (await http.post("/chat", json=body, headers=keys[1])).status_code == 404
            assert (await http.get("/threads", headers=keys[1])).json()["threads"] == []
            assert (await http.get("/threads/owned", headers=keys[0])).json()["message_count"] == 2
    finally:
        for name in ("chat-mine", "chat-other"):
            desk.app.keys.revoke(name)


async def test_a_chart_is_a_specification_or_a_picture(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        said = await talk.say("SQL: SELECT city, count(*) AS n FROM sales GROUP BY city")
        path = f"/runs/{said['run_id']}/chart"
        spec = (await talk.http.get(path)).json()["spec"]
        assert (await talk.http.get(f"{path}?format=png")).content.startswith(b"\x89PNG")
        assert (await talk.http.get(f"{path}?format=svg")).text.startswith("<svg")
        assert (await talk.http.get(f"{path}?mark=arc&y=n&color=city")).json()["spec"]["mark"]["type"] == "arc"
        assert (await talk.http.get(f"{path}?mark=bar&x=nothing")).status_code == 422
        one = await talk.say("SQL: SELECT count(*) AS n FROM sales")
        assert (await talk.http.get(f"/runs/{one['run_id']}/chart")).status_code == 404
    assert spec == said["chart"]["spec"]


NASTY = st.text(min_size=1, max_size=30) | st.sampled_from(
    ["datum.x", "a.b[0]", "<script>", "http://x/", "'+alert(1)+'"]
)
CELLS = st.none() | st.integers(-(10**15), 10**15) | NASTY


@given(st.lists(st.tuples(NASTY, st.integers() | st.none()), min_size=2, max_size=20), NASTY)
def test_no_name_and_no_value_gets_into_a_specification_but_as_a_value_or_a_title(
    rows: list[tuple[str, int | None]], name: str
) -> None:
    table = Table(
        columns=[name, f"{name}2"],
        column_types=["VARCHAR", "BIGINT"],
        rows=[list(row) for row in rows],
        row_count=len(rows),
        total_rows=len(rows),
    )
    choice = chosen(table)
    if choice is None:
        return
    spec = specification(choice, table)
    assert set(spec) <= {"data", "mark", "encoding", "width", "height", "title"}
    assert set(spec["data"]) == {"values"}
    for channel in spec["encoding"].values():
        assert re.fullmatch(r"c\d+", channel["field"])
        assert set(channel) <= {"field", "type", "title", "aggregate", "bin", "sort"}


@given(st.lists(st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9), min_size=1, max_size=5))
def test_a_number_of_the_result_is_found_however_it_is_written(values: list[Any]) -> None:
    table = Table(
        columns=["n"],
        column_types=["DOUBLE"],
        rows=[[each] for each in values],
        row_count=len(values),
        total_rows=len(values),
    )
    for value in values:
        text = f"It is {value:,}." if isinstance(value, int) else f"It is {value:,.3f}."
        assert all(each.matched for each in numbers.check(text, table))


@pytest.mark.parametrize(
    ("text", "matched"),
    [("4 of 1,234", [False, True]), ("on 2026-02-01 it was 7", [False]), ("12.3 %", [True]), ("v2 of abc3", [])],
)
def test_numbers_are_told_from_what_is_none(text: str, matched: list[bool]) -> None:
    table = Table(columns=["a"], column_types=["DOUBLE"], rows=[[1234], [12.34]], row_count=2, total_rows=2)
    assert [each.matched for each in numbers.check(text, table)] == matched


async def test_who_answers_is_told(desk: Desk) -> None:
    async with talking(desk, []) as talk:
        assert (await talk.http.get("/chat")).json()["planner"] == "simple"
        assert events_in((await talk.http.get("/health")).text) == []
