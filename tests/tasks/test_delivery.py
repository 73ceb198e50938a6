"""Callbacks: every event that must arrive arrives, in order, signed, and under one key however often it is sent."""

import base64
import hmac
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidFieldError
from holdfast.store.appending import Append, NewEvent
from holdfast.tasks import callbacks
from holdfast.tasks.callbacks import CallbackRules, Poster, Signer
from holdfast.tasks.claims import instant
from holdfast.tasks.delivery import Backoff, message_of
from holdfast.tasks.events import now
from holdfast.types import CRITICAL_EVENTS, OPERATOR, LogEvent, TokenEvent
from tests.tasks.conftest import Receiver, ended, service, settled, submitted

pytestmark = pytest.mark.anyio

ALL = ["status", "status", "token", "token", "token", "tool_start", "tool_end", "done"]


def numbers(bodies: list[dict[str, Any]]) -> list[int]:
    """The numbers of all events that these callbacks stand for."""
    return [number for body in bodies for number in range(body.get("first_seq", body["seq"]), body["seq"] + 1)]


async def test_every_event_arrives_in_order_with_the_seeds_fields(
    place: Path | str, tmp_path: Path, receiver: Receiver
) -> None:
    async with service(place, tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url, request_id="req-7")
        events = await ended(tasks, task_id)
        task = await settled(tasks, task_id)
    assert numbers(receiver.accepted) == [event.seq for event in events]
    assert "".join(body["text"] for body in receiver.accepted if body["type"] == "token") == "one two three "
    end = next(body for body in receiver.accepted if body["type"] == "tool_end")
    assert {name: end[name] for name in ("type", "task_id", "tool_id", "tool_state")} == {
        "type": "tool_end",
        "task_id": task_id,
        "tool_id": "tool_1",
        "tool_state": "success",
    }
    assert "output" not in end
    assert all(datetime.fromisoformat(body["timestamp"]).tzinfo is not None for body in receiver.accepted)
    assert {headers["X-Request-ID"] for headers in receiver.headers} == {"req-7"}
    assert task.delivery is not None and task.delivery.state == "delivered"


async def test_callbacks_are_signed_with_the_secret_of_the_task(tmp_path: Path, receiver: Receiver) -> None:
    async with service(tmp_path / "db", tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        await settled(tasks, task_id)
    secret = Signer(lambda: b"key").secret_of(task_id)
    for raw, headers in zip(receiver.raw, receiver.headers, strict=True):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
        wanted = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"
        assert headers["webhook-id"] == headers["Idempotency-Key"]
    assert Signer(lambda: b"key").secret_of("task-other") != secret


async def test_events_that_cannot_be_read_end_one_delivery_and_nobody_elses(tmp_path: Path, receiver: Receiver) -> None:
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks:
        broken = await submitted(tasks, callback_url=f"{receiver.url}/broken")
        claimed = await tasks.queue.claim(["agent"], "runner-1", 1)
        assert claimed is not None
        unknown = [NewEvent("step_end", '{"type": "step_end", "step_state": "***"}')]
        await tasks.queue.events.append(Append(broken, claimed.claim, instant(now()), unknown))
        assert (await settled(tasks, broken)).delivery.state == "dead"  # type: ignore[union-attr]
    async with service(tmp_path / "db", tmp_path) as tasks:
        task = await settled(tasks, await submitted(tasks, callback_url=receiver.url))
    assert task.delivery is not None and task.delivery.state == "delivered"


@pytest.mark.parametrize("accepted", [200, 201, 202, 204])
async def test_any_2xx_is_a_success(tmp_path: Path, receiver: Receiver, accepted: int) -> None:
    receiver.answer = lambda body: accepted
    async with service(tmp_path / "db", tmp_path) as tasks:
        task = await settled(tasks, await submitted(tasks, callback_url=receiver.url))
    assert task.delivery is not None and task.delivery.state == "delivered"
    assert len(receiver.bodies) == len(set(receiver.keys))


async def test_what_fails_now_and_then_still_arrives_in_order_under_the_same_key(
    tmp_path: Path, receiver: Receiver
) -> None:
    tries: Counter[int] = Counter()

    def answer(body: dict[str, Any]) -> int | float:
        tries[body["seq"]] += 1
        return 200 if tries[body["seq"]] > body["seq"] % 4 else 500

    receiver.answer = answer
    async with service(tmp_path / "db", tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        events = await ended(tasks, task_id)
        await settled(tasks, task_id)
    assert numbers(receiver.accepted) == [event.seq for event in events]
    same: dict[str, set[bytes]] = {}
    for key, raw in zip(receiver.keys, receiver.raw, strict=True):
        same.setdefault(key, set()).add(raw)
    assert {len(bodies) for bodies in same.values()} == {1}


async def test_a_critical_event_is_tried_ten_times_and_then_waits_to_be_redriven(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer = lambda body: 503 if body["type"] == "tool_end" else 200
    async with service(tmp_path / "db", tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        task = await settled(tasks, task_id)
        assert task.delivery is not None
        assert (task.delivery.state, task.delivery.attempts) == ("dead", 10)
        assert task.delivery.error == "It answered 503."
        assert [body["type"] for body in receiver.bodies].count("tool_end") == 10
        assert receiver.types[-1] == "tool_start"
        assert task.status == "succeeded"
        receiver.answer = lambda body: 200
        await tasks.queue.redrive(task_id, OPERATOR)
        assert (await settled(tasks, task_id)).delivery.state == "delivered"  # type: ignore[union-attr]
    assert receiver.types[-2:] == ["tool_end", "done"]
    assert sorted(numbers(receiver.accepted)) == numbers(receiver.accepted)


async def test_what_is_not_critical_is_tried_five_times_and_dropped_up_to_the_next_that_is(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer = lambda body: 200 if body["type"] in CRITICAL_EVENTS else 400
    async with service(tmp_path / "db", tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        await ended(tasks, task_id)
        task = await settled(tasks, task_id)
    assert receiver.types == ["tool_end", "done"]
    assert max(Counter(receiver.keys).values()) == 5
    assert task.delivery is not None
    assert (task.delivery.state, task.delivery.dropped) == ("delivered", 6)


async def test_a_callback_that_hangs_delays_no_event_to_readers(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda body: 3.0
    async with service(tmp_path / "db", tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        kinds = [event.type for event in await ended(tasks, task_id)]
        task = await tasks.queue.get(task_id, OPERATOR)
    assert kinds == ALL
    assert task.delivery is not None and task.delivery.delivered_seq == 0


async def test_a_callback_that_does_not_answer_in_time_is_tried_again_under_the_same_key(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "ANSWER_SECONDS", 0.1)
    tries: Counter[int] = Counter()

    def answer(body: dict[str, Any]) -> int | float:
        tries[body["seq"]] += 1
        return 0.5 if tries[body["seq"]] == 1 else 200

    receiver.answer = answer
    async with service(tmp_path / "db", tmp_path) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        events = await ended(tasks, task_id)
        task = await settled(tasks, task_id)
    assert task.delivery is not None and task.delivery.state == "delivered"
    assert {*Counter(receiver.keys).values()} == {2}
    assert sorted({*numbers(receiver.bodies)}) == [event.seq for event in events]


async def test_what_was_not_delivered_is_delivered_by_the_next_server(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda body: 500
    async with service(tmp_path / "db", tmp_path, backoff=Backoff(60)) as tasks:
        task_id = await submitted(tasks, callback_url=receiver.url)
        events = await ended(tasks, task_id)
    receiver.answer = lambda body: 200
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks:
        await tasks._store.tasks.note_delivery(task_id, {"delivery_at": None})
        await settled(tasks, task_id)
    assert numbers(receiver.accepted) == [event.seq for event in events]


async def test_redirects_are_not_followed(tmp_path: Path, receiver: Receiver) -> None:
    async with Poster(CallbackRules(private=True), None) as poster:
        receiver.answer = lambda body: 307
        assert (await poster.post(receiver.url, "t", "t:1", b"{}", {})).reason == "It answered 307."
    assert len(receiver.bodies) == 1


PRIVATE = (
    *("127.0.0.1", "127.1.2.3", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0"),
    *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]"),
    *("[2002:7f00:1::]", "localhost", "LOCALHOST.", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.192"),
    *("[::7f00:1]", "[::ffff:0:7f00:1]", "[64:ff9b:1::a9fe:a9fe]", "[2001:0:7f00:1::]", "[fec0::1]", "[3fff::1]"),
)
METADATA = (
    *("169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16"),
    *("[fd00:ec2::254]", "[fd20:ce::254]", "[fe80::1]"),
)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_and_metadata_addresses_are_refused(host: str) -> None:
    with pytest.raises(InvalidFieldError, match="HOLDFAST_ALLOW_PRIVATE_CALLBACKS"):
        CallbackRules().check(f"http://{host}:80/x")


@pytest.mark.parametrize(
    "host", [*METADATA, "[::ffff:169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]", "0.0.0.0", "224.0.0.1"]
)
def test_metadata_addresses_are_refused_also_when_private_ones_are_allowed(host: str) -> None:
    with pytest.raises(InvalidFieldError):
        CallbackRules(private=True).check(f"http://{host}/latest")


@pytest.mark.parametrize(
    "host", ["93.184.215.14", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", "[64:ff9b::5db8:d70e]", "a.example"]
)
def test_public_addresses_and_names_are_taken(host: str) -> None:
    CallbackRules().check(f"https://{host}/x")
    CallbackRules(private=True).check(f"https://{host}/x")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "[::1]", "[fd12::1]"])
def test_private_addresses_are_taken_where_the_operator_allows_them(host: str) -> None:
    CallbackRules(private=True).check(f"http://{host}/x")


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://a/", "http://", "http:///x", "http://a b/", "http://a:99999/", "//a/b"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidFieldError, match="callback_url"):
        CallbackRules(private=True).check(url)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1"])
async def test_an_address_that_is_found_to_be_private_is_never_connected_to(name: str, receiver: Receiver) -> None:
    """Also one that a name, or another way to write a number, turns out to mean."""
    port = receiver.url.rpartition(":")[2]
    async with Poster(CallbackRules(), None) as poster:
        posted = await poster.post(f"http://{name}:{port}", "t", "t:1", b"{}", {})
    assert posted.status is None
    assert "private" in posted.reason or "resolved" in posted.reason
    assert receiver.bodies == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=5)), min_size=1, max_size=20))
def test_tokens_are_joined_without_losing_or_mixing_any(words: list[tuple[str, str]]) -> None:
    events = [
        TokenEvent(task_id="t", seq=index + 1, message_id=message, text=text, token_index=index)
        for index, (message, text) in enumerate(words)
    ]
    told: list[tuple[int, int]] = []
    while events:
        message = message_of(events)
        assert message == message_of(events, message.last)
        told.append((message.first, message.last))
        events = [event for event in events if event.seq > message.last]
    assert [number for first, last in told for number in range(first, last + 1)] == [*range(1, len(words) + 1)]
    for first, last in told:
        assert len({message for message, _ in words[first - 1 : last]}) == 1


def test_logs_are_not_joined() -> None:
    events = [LogEvent(task_id="t", seq=n, level="info", message="x") for n in (1, 2)]
    assert message_of(events).last == 1


@given(st.integers(1, 40))
def test_pauses_double_up_to_sixty_times_the_first(tries: int) -> None:
    least = min(0.5 * 2.0 ** (tries - 1), 30)
    pauses = {Backoff(0.5).seconds(tries) for _ in range(20)}
    assert len(pauses) > 1
    assert all(least <= pause <= least * 1.25 for pause in pauses)
