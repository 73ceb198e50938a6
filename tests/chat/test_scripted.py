"""What comes of what a language model says: a query, a question, words, nonsense, an error, or nothing at all."""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import anyio
import pytest
from pydantic_ai.exceptions import ContentFilterError, ModelAPIError, UnexpectedModelBehavior

from tests.chat.conftest import Step, events_in, http_error, never, talking
from tests.data_runs.conftest import Desk

pytestmark = pytest.mark.anyio

PLAN = {
    "kind": "plan",
    "plan": {
        "table": "sales",
        "select": ["city", {"func": "sum", "column": "amount", "alias": "total"}],
        "group_by": ["city"],
        "order_by": [{"expr": "city"}],
    },
}
SQL = {"kind": "sql", "sql": "SELECT count(*) AS n FROM sales"}
PYTHON = {"kind": "python", "python": "result = sales.amount.sum()"}
BROKEN = {"kind": "sql", "sql": "SELECT count(*) FROM sale"}
FORBIDDEN = {"kind": "sql", "sql": "SELECT * FROM read_csv('/etc/passwd')"}
ASKS = {"kind": "clarify", "message": "Which total?", "options": ["of all", "of Oslo"]}
REFUSES = {"kind": "reply", "message": "These data say nothing about the weather."}


class Case(NamedTuple):
    """What the model says, and how the turn ends."""

    steps: Sequence[Step]
    status: str
    stop: str
    attempts: int = 1
    requests: int = 1
    settings: Mapping[str, Any] = MappingProxyType({})


GOOD = ("succeeded", "answered")
CASES = {
    "a plan runs": Case([PLAN], *GOOD),
    "SQL runs": Case([SQL], *GOOD),
    "Python runs": Case([PYTHON], *GOOD),
    "a question to the user ends the turn": Case([ASKS], "clarification", "clarification"),
    "a refusal is told": Case([REFUSES], "rejected", "refused"),
    "JSON in a fence is read": Case([f"Here:\n```json\n{json.dumps(SQL)}\n```"], *GOOD),
    "JSON among words is read": Case([f"Sure! {json.dumps(PLAN)} That is it."], *GOOD),
    "SQL in a fence is read": Case(["```sql\nSELECT count(*) AS n FROM sales\n```"], *GOOD),
    "bare SQL is read": Case(["SELECT count(*) AS n FROM sales"], *GOOD),
    "Python in a fence is read": Case(["```python\nresult = len(sales)\n```"], *GOOD),
    "a plan without its kind is read": Case([json.dumps(PLAN["plan"])], *GOOD),
    "SQL without its kind is read": Case([{"sql": SQL["sql"]}], *GOOD),
    "arguments in arguments are read": Case([json.dumps({"name": "answer", "arguments": SQL})], *GOOD),
    "unknown fields are left out": Case([{**SQL, "confidence": 0.9}], *GOOD),
    "words are asked for SQL alone": Case(["I would count the rows.", "SELECT count(*) FROM sales"], *GOOD, 2, 2),
    "an empty reply is asked for SQL alone": Case(["", "SELECT count(*) FROM sales"], *GOOD, 2, 2),
    "JSON that is none is asked for SQL alone": Case(['{"kind": "sql", ', "SELECT 1 FROM sales"], *GOOD, 2, 2),
    "a kind that is none is repaired": Case([{"kind": "chart"}, SQL], *GOOD, 2, 2),
    "a plan that is none is repaired": Case([{"kind": "plan", "plan": {"table": 1}}, PLAN], *GOOD, 2, 2),
    "a plan that is missing is repaired": Case([{"kind": "plan"}, PLAN], *GOOD, 2, 2),
    "a column that is not there is repaired": Case(
        [{"kind": "plan", "plan": {"table": "sales", "select": ["price"]}}, PLAN], *GOOD, 2, 2
    ),
    "a table that is not there is repaired": Case([BROKEN, SQL], *GOOD, 2, 2),
    "what the policy denies is repaired": Case([FORBIDDEN, SQL], *GOOD, 2, 2),
    "Python that fails is repaired": Case([{"kind": "python", "python": "result = 1 / 0"}, SQL], *GOOD, 2, 2),
    "two faults are repaired": Case([BROKEN, FORBIDDEN, SQL], *GOOD, 3, 3),
    "faults without end are given up": Case([BROKEN] * 4, "rejected", "repair_limit", 4, 4),
    "the policy is never argued with": Case([FORBIDDEN] * 4, "rejected", "repair_limit", 4, 4),
    "nonsense without end is given up": Case(["no"] * 4, "failed", "repair_limit", 4, 4),
    "one attempt is one": Case([BROKEN], "rejected", "repair_limit", 1, 1, {"chat_attempts": 1}),
    "too many requests is told": Case([http_error(429)], "failed", "provider_error", 1, 0),
    "a fault of the provider is told": Case([http_error(500)], "failed", "provider_error", 1, 0),
    "a provider that is down is told": Case([http_error(503)], "failed", "provider_error", 1, 0),
    "a key that is wrong is told": Case([http_error(401)], "failed", "provider_error", 1, 0),
    "a model that is unknown is told": Case([http_error(404)], "failed", "provider_error", 1, 0),
    "a provider without tools is asked without": Case([http_error(400), json.dumps(SQL)], *GOOD, 2, 1),
    "a provider that takes nothing is told": Case([http_error(400)] * 2, "failed", "provider_error", 2, 0),
    "an API error is told": Case([ModelAPIError("gpt-6-luna", "gone")] * 2, "failed", "provider_error", 2, 0),
    "a time-out of a request is told": Case([TimeoutError()], "failed", "provider_error", 1, 0),
    "a filter is told": Case([ContentFilterError("no")], "failed", "provider_error", 1, 0),
    "behaviour nobody expects is told": Case([UnexpectedModelBehavior("odd")], "failed", "provider_error", 1, 0),
    "an error after a fault is told": Case([BROKEN, http_error(500)], "failed", "provider_error", 2, 1),
    "a model that never answers is stopped": Case([never], "timed_out", "wall_clock", 1, 0, {"chat_timeout": 0.3}),
    "tokens run out": Case([BROKEN, BROKEN], "failed", "token_budget", 1, 1, {"chat_tokens": 1}),
    "money runs out": Case([BROKEN, BROKEN], "failed", "cost_budget", 1, 1, {"chat_cost": 1e-9}),
}


async def until(so: Callable[[], Any]) -> None:
    with anyio.fail_after(30):
        while not so():  # noqa: ASYNC110 - what is waited for tells nobody
            await anyio.sleep(0.01)


@pytest.mark.parametrize("name", CASES)
async def test_every_turn_ends_with_one_of_the_reasons(desk: Desk, name: str) -> None:
    case = CASES[name]
    async with talking(desk, case.steps, **case.settings) as talk:
        said = await talk.say("What is the total per city?")
    assert (said["status"], said["details"]["stop_reason"]) == (case.status, case.stop), said
    assert said["details"]["planner"] == "model"
    assert said["details"]["attempts"] == case.attempts
    assert said["usage"]["requests"] == case.requests
    assert (said["usage"]["cost_usd"] or 0) >= 0
    assert said["assistant_message"]
    if case.status == "succeeded":
        assert said["run_id"] and said["result"]["total_rows"] >= 1


def test_there_are_forty_conversations() -> None:
    assert len(CASES) >= 40


async def test_a_model_that_is_not_found_names_the_setting(desk: Desk) -> None:
    async with talking(desk, [http_error(404)]) as talk:
        said = await talk.say("How many?")
    assert "OPENAI_MODEL" in said["assistant_message"]
    assert said["result"]["error"]["code"] == "model_not_found"


async def test_a_fault_is_told_to_the_model_with_its_reason(desk: Desk) -> None:
    async with talking(desk, [FORBIDDEN, SQL]) as talk:
        await talk.say("How many?")
        assert "read_csv" in str(talk.script.asked[1][0][-1])


async def test_a_follow_up_knows_what_was_said_and_what_came_of_it(desk: Desk) -> None:
    async with talking(desk, [PLAN, SQL]) as talk:
        first = await talk.say("What is the total per city?")
        await talk.say("And how many are there?", thread_id=first["thread_id"])
        messages, info = talk.script.asked[1]
    assert "What is the total per city?" in str(messages)
    assert "total" in str(info.instructions).partition("last query")[2]


async def test_a_question_is_answered_by_one_of_its_options(desk: Desk) -> None:
    async with talking(desk, [ASKS, SQL]) as talk:
        first = await talk.say("What is the total?")
        assert [each["label"] for each in first["clarification"]["options"]] == ["of all", "of Oslo"]
        second = await talk.say("of Oslo", thread_id=first["thread_id"])
        told = str(talk.script.asked[1][0])
    assert second["status"] == "succeeded"
    assert "Which total?" in told and "of Oslo" in told


async def test_the_window_of_history_is_kept(desk: Desk) -> None:
    async with talking(desk, [SQL] * 4, thread_history_window=2) as talk:
        first = await talk.say("question number one")
        for text in ("question number two", "question number three"):
            await talk.say(text, thread_id=first["thread_id"])
        told = str(talk.script.asked[-1][0])
    assert "question number two" in told and "question number one" not in told


@pytest.mark.parametrize(
    ("privacy", "told", "not_told"),
    [
        ("schema", ["amount"], ["Oslo", "20"]),
        ("statistics", ["Oslo", "5.25"], ["first_rows"]),
        ("rows", ["Oslo", "first_rows"], []),
    ],
)
async def test_a_model_is_told_no_more_than_privacy_allows(
    desk: Desk, privacy: str, told: list[str], not_told: list[str]
) -> None:
    async with talking(desk, [PLAN, "The total of Oslo is 10.5."], chat_privacy=privacy) as talk:
        await talk.say("What is the total per city?")
        everything = talk.script.told.replace("20:", "")
        instructions = str(talk.script.asked[0][1].instructions)
    for text in told:
        assert text in everything
    for text in not_told:
        assert text not in instructions


async def test_a_request_may_be_more_private_but_not_less(desk: Desk) -> None:
    async with talking(desk, [SQL], chat_privacy="statistics") as talk:
        await talk.say("How many?", privacy="schema")
        assert "Oslo" not in talk.script.told
        assert (await talk.say("How many?", status=422, privacy="rows"))["code"] == "over_ceiling"


async def test_numbers_that_are_not_in_the_result_are_flagged(desk: Desk) -> None:
    prose = "Oslo has 10.5 and Bergen 20, together 31.75 in 3 rows."
    async with talking(desk, [PLAN, prose], chat_privacy="rows") as talk:
        said = await talk.say("What is the total per city?")
    assert said["assistant_message"] == prose
    assert {each["text"]: each["matched"] for each in said["numbers"]} == {
        "10.5": True,
        "20": True,
        "31.75": False,
        "3": True,
    }


async def test_a_cell_that_gives_orders_is_data(desk: Desk) -> None:
    """Whatever a cell makes the model write goes through the same policy as what anybody writes."""
    obeys = {"kind": "sql", "sql": "SELECT * FROM read_csv('/etc/passwd')"}
    async with talking(desk, [obeys, obeys], chat_attempts=2, chat_privacy="rows") as talk:
        said = await talk.say("What do the notes say?", dataset="injected")
        instructions = str(talk.script.asked[0][1].instructions)
    assert instructions.count("</data>") == 2  # the rule that names it, and the end
    assert "\\u003c/data>" in instructions
    assert (said["status"], said["result"]["rows"]) == ("rejected", [])
    assert "root:" not in json.dumps(said)


async def test_a_model_that_obeys_a_cell_in_its_words_is_flagged(desk: Desk) -> None:
    query = {"kind": "sql", "sql": "SELECT sum(amount) AS s FROM injected"}
    async with talking(
        desk, [{**query, "sql": "SELECT sum(amount) AS s FROM sales"}, "The sum is 999."], chat_privacy="rows"
    ) as talk:
        said = await talk.say("What is the sum?", dataset="injected")
    assert [each["matched"] for each in said["numbers"]] == [False]


async def test_a_turn_is_cancelled_on_demand(desk: Desk) -> None:
    async with talking(desk, [never]) as talk:
        async with anyio.create_task_group() as group:
            said: list[Any] = []

            async def ask() -> None:
                said.append(await talk.say("How many?", thread_id="cancel-me"))

            group.start_soon(ask)
            await until(lambda: talk.script.asked)
            assert (await talk.http.get("/threads/cancel-me")).json()["running"] is not None
            busy = await talk.http.post("/chat", json={"dataset_id": "sales", "message": "x", "thread_id": "cancel-me"})
            assert (busy.status_code, busy.json()["code"]) == (409, "thread_busy")
            ended = await talk.http.post("/threads/cancel-me/cancel", json={})
        assert ended.json()["running"] is None
        assert (said[0]["status"], said[0]["details"]["stop_reason"]) == ("cancelled", "cancelled")


async def test_cancelling_a_turn_ends_its_cell(desk: Desk) -> None:
    slow = {"kind": "python", "python": "import time\nwhile True:\n    pass"}
    async with talking(desk, [slow]) as talk, anyio.create_task_group() as group:
        group.start_soon(talk.say, "How many?", 200, "sales")
        await until(lambda: desk.app.data._live)
        (run_id,) = desk.app.data._live
        thread = (await talk.http.get("/threads")).json()["threads"][0]["thread_id"]
        await talk.http.post(f"/threads/{thread}/cancel", json={})
        assert (await desk.get(f"/runs/{run_id}"))["status"] == "cancelled"


async def test_the_events_are_told_in_order_and_again(desk: Desk) -> None:
    async with talking(desk, [BROKEN, PLAN]) as talk:
        events = await talk.events("What is the total per city?", thread_id="events")
        again = await talk.http.get("/threads/events/events", headers={"Last-Event-ID": "0"})
        after = await talk.http.get("/threads/events/events?after=5")
        nothing = await talk.http.get(f"/threads/events/events?after={events[-1]['seq']}")
    kinds = [each["type"] for each in events]
    assert kinds[0] == "status" and kinds[-3:] == ["token", "result", "done"]
    stages = [each["stage"] for each in events if each["type"] == "status"]
    assert stages == ["planning", "validating", "repairing", "validating", "executing", "answering"]
    assert kinds.count("tool_call") == kinds.count("tool_result") == 2
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    assert events_in(again.text) == events
    assert events_in(after.text) == events[5:]
    assert (nothing.status_code, nothing.text) == (200, "")


async def test_who_follows_later_sees_what_comes(desk: Desk) -> None:
    go = anyio.Event()

    async def wait() -> Any:
        await go.wait()
        return SQL

    async with talking(desk, [wait]) as talk:
        async with anyio.create_task_group() as group:
            group.start_soon(talk.say, "How many?", 200, "sales")
            await until(lambda: talk.script.asked)
            thread = (await talk.http.get("/threads?limit=1")).json()["threads"][0]["thread_id"]
            followed: list[Any] = []

            async def follow() -> None:
                followed.extend(events_in((await talk.http.get(f"/threads/{thread}/events")).text))

            group.start_soon(follow)
            await anyio.sleep(0.1)
            go.set()
        assert [each["type"] for each in followed][-1] == "done"
        assert followed[0]["type"] == "status"
