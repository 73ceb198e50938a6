"""Sessions through both clients: on any engine, and with an interpreter on the local one."""

from typing import Any

import pytest

from holdfast import (
    ExecutionError,
    InvalidFieldError,
    InvalidFileNameError,
    NotFoundError,
    RuntimeNotAvailableError,
    SessionLostError,
    Status,
)
from holdfast.types import SessionRequest
from tests.client.conftest import Connect


def test_a_session_keeps_its_files_and_ends_with_its_block(client: Any) -> None:
    with client.open_session(image="bash", idle_seconds=60, files={"a.txt": b"a\xff", "b.txt": "b"}) as session:
        assert session.info().idle_seconds == 60
        assert session.run("echo hi > made.txt; cat b.txt").check().stdout == "b"
        sizes = {file.path: file.size_bytes for file in session.files().files}
        assert (sizes["a.txt"], sizes["b.txt"], sizes["made.txt"]) == (2, 1, 3)
        session.write("new/c d#?.txt", b"\x00c")
        assert (session.read("a.txt"), session.read("new/c d#?.txt")) == (b"a\xff", b"\x00c")
        session.write("a.txt", "text")
        assert session.read("a.txt") == b"text"
        session.remove("a.txt")
        with pytest.raises(NotFoundError):
            session.read("a.txt")
        assert session.id in [found.session_id for found in client.sessions().sessions]
    assert session.id not in [found.session_id for found in client.sessions().sessions]
    with pytest.raises(NotFoundError):
        session.run("true")


def test_a_session_can_be_attached_to_and_closed_by_hand(client: Any) -> None:
    session = client.open_session(image="bash")
    again = client.attach(session.id)
    assert again.run("exit 3").exit_code == 3
    assert again.info().runs == 1
    session.close()
    with session:
        pass
    with pytest.raises(NotFoundError):
        again.info()


def test_a_run_in_a_session_is_streamed_and_leaving_interrupts_it(client: Any) -> None:
    with client.open_session(image="bash") as session:
        with session.stream("echo one; echo two >&2") as events:
            seen = list(events)
        assert (seen[0].type, seen[-1].type) == ("started", "exited")
        assert events.result.session_id == session.id
        assert events.result.stdout == "one\n"
        with session.stream("echo up; sleep 600", timeout=60) as events:
            for event in events:
                if event.type == "output":
                    break
        while session.info().status == "busy":
            pass
        assert session.run("echo free").stdout == "free\n"


def test_a_path_that_climbs_reaches_the_server_and_is_refused(client: Any) -> None:
    with client.open_session(image="bash") as session:
        for path in ("../../x", "a/../b", "./a"):
            with pytest.raises(InvalidFileNameError):
                session.write(path, b"")
    with pytest.raises(NotFoundError):
        client.attach("../sessions").info()


def test_a_session_that_cannot_be_is_refused(client: Any) -> None:
    with pytest.raises(RuntimeNotAvailableError):
        client.open_session(image="go")
    with pytest.raises(InvalidFieldError):
        client.open_session(idle=1)


def test_every_field_of_a_session_request_is_sent(connect: Connect, local: str) -> None:
    wanted: dict[str, Any] = {
        "image": "bash",
        "idle_seconds": 100.5,
        "lifetime_seconds": 200.5,
        "timeout": 30.5,
        "mem_limit": "64m",
        "disk_limit": "1m",
        "cpu_shares": 4,
        "cpus": 0.5,
        "processes": 30,
        "open_files": 20,
        "max_output_bytes": 10,
        "environment": {"A": "b"},
        "files": {"a": "b"},
        "prebuild_spec": {"base_image": "bash", "setup_script": "echo made > made"},
    }
    assert wanted.keys() == SessionRequest.model_fields.keys(), "every field has a value here"
    with connect(local).open_session(**wanted) as session:
        info = session.info()
        limits = info.limits
        assert (info.idle_seconds, info.lifetime_seconds, limits.wall_seconds) == (100.5, 200.5, 30.5)
        assert info.image.startswith("prebuilt-spec-")
        assert (limits.memory_bytes, limits.disk_bytes, limits.output_bytes) == (64 << 20, 1 << 20, 10)
        assert (limits.cpu_shares, limits.cpus, limits.processes, limits.open_files) == (4, 0.5, 30, 20)
        assert session.run("cat a /opt/holdfast/layer/made; echo $A").stdout == "bmade\nb\n"


def test_an_interpreter_keeps_state_shows_values_and_survives_errors(connect: Connect, local: str) -> None:
    with connect(local).open_session() as session:
        session.run("prices = [3, 4, 5]")
        result = session.run("sum(prices)").check()
        assert result.displays[0].data == {"text/plain": "12"}
        failed = session.run("prices[7]")
        assert failed.error.name == "IndexError"
        with pytest.raises(ExecutionError, match="exit code 1"):
            failed.check()
        with session.stream("print('a')\ndisplay('b')") as events:
            assert [event.type for event in events] == ["started", "output", "display", "exited"]
        assert session.run("while True: pass", timeout=0.5).status is Status.TIMED_OUT
        with session.stream("import time\nprint('up', flush=True)\ntime.sleep(600)", timeout=60) as events:
            for event in events:
                if event.type == "output":
                    assert session.interrupt().session_id == session.id
        assert events.result.status is Status.CANCELLED
        assert session.run("prices").displays[0].data == {"text/plain": "[3, 4, 5]"}
        lost = session.run("import os; os._exit(1)")
        assert lost.exit_code == 1
        with pytest.raises(SessionLostError):
            session.run("1")
        assert session.info().status == "lost"
