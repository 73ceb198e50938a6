"""What is left of sessions that are lost, and for how long."""

import os
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from holdfast.engines.local import LocalEngine
from holdfast.engines.local.launchers import PLAIN
from tests.sessions.conftest import Client

pytestmark = pytest.mark.anyio

Serving = Callable[..., Any]


@pytest.mark.parametrize("image", ["python", "bash"])
async def test_the_death_of_the_launcher_loses_sessions_and_not_the_server(client: Client, image: str) -> None:
    session = await client.new(image=image, files={"f": "x"})
    engine = client.app.executor.engine
    assert isinstance(engine, LocalEngine)
    launcher = engine._launchers.keepers[PLAIN].current
    assert launcher is not None
    os.kill(launcher.pid, signal.SIGKILL)
    await until(client, session, "lost")
    assert (await client.refused(session))[:2] == (410, "session_lost")
    assert (await client.http.get(f"/sessions/{session}/files/f")).content == b"x"
    again = await client.new(image="bash")
    assert (await client.run(again, "echo 1"))["stdout"] == "1\n"


async def test_an_idle_session_is_lost_and_its_files_are_not(client: Client) -> None:
    session = await client.new(image="bash", idle_seconds=1, files={"f": "x"})
    await until(client, session, "lost")
    assert await client.refused(session) == (
        410,
        "session_lost",
        "The session is lost: It was idle for 1 s; make a new one.",
    )
    assert (await client.http.get(f"/sessions/{session}/files/f")).content == b"x"
    assert (await client.http.put(f"/sessions/{session}/files/f", content=b"y")).status_code == 410


async def until(client: Client, session: str, status: str) -> None:
    """Until the session has this status."""
    with anyio.fail_after(15):
        while (await client.http.get(f"/sessions/{session}")).json().get("status") != status:  # noqa: ASYNC110
            await anyio.sleep(0.05)


async def test_after_its_lifetime_nothing_is_left_of_a_session(client: Client) -> None:
    session = await client.new(image="bash", lifetime_seconds=1)
    with anyio.fail_after(15):
        while (await client.http.get(f"/sessions/{session}")).status_code != 404:  # noqa: ASYNC110
            await anyio.sleep(0.05)
    assert not list((client.app.settings.state_dir / "sessions").iterdir())


async def test_after_its_lifetime_nothing_is_left_of_a_lost_session_either(client: Client) -> None:
    session = await client.new(image="bash", idle_seconds=1, lifetime_seconds=8, files={"f": "x"})
    await until(client, session, "lost")
    assert (await client.http.get(f"/sessions/{session}/files/f")).content == b"x"
    with anyio.fail_after(20):
        while (await client.http.get(f"/sessions/{session}/files/f")).status_code != 404:  # noqa: ASYNC110
            await anyio.sleep(0.05)
    assert (await client.refused(session))[:2] == (404, "not_found")
    assert not list((client.app.settings.state_dir / "sessions").iterdir())


async def test_what_is_kept_of_the_files_is_bounded_and_notes_say_so(serving: Serving) -> None:
    client = await serving(session_files="8k")
    session = await client.new(files={"small": "x" * 100, "large": "x" * 9000})
    await client.run(session, "import os; os._exit(0)")
    left = (await client.http.get(f"/sessions/{session}/files")).json()
    assert left["files"] == [{"path": "small", "size_bytes": 100}]
    assert left["notes"] == ["large is not kept: the files together are larger than what is kept of a session."]


async def test_a_session_that_cannot_be_kept_goes_on_and_can_be_ended(client: Client) -> None:
    session = await client.new(image="bash")
    folder = client.app.settings.state_dir / "sessions" / session
    shutil.rmtree(folder)
    folder.write_text("no folder, so that nothing can be written there")
    assert (await client.run(session, "echo x > f; echo done"))["stdout"] == "done\n"
    assert (await client.run(session, "cat f"))["stdout"] == "x\n"
    with anyio.fail_after(20):
        assert (await client.http.delete(f"/sessions/{session}")).status_code == 204
    folder.unlink()


async def test_a_full_store_forgets_the_session_that_was_lost_first(serving: Serving) -> None:
    client = await serving(session_store="16k", session_files="8k")
    sessions = []
    for _ in range(2):
        sessions.append(await client.new(image="bash", files={"f": "x" * 5000}, idle_seconds=1))
        await until(client, sessions[-1], "lost")
    with anyio.fail_after(10):
        while (await client.http.get(f"/sessions/{sessions[0]}")).status_code != 404:  # noqa: ASYNC110
            await anyio.sleep(0.05)
    assert (await client.http.get(f"/sessions/{sessions[1]}")).status_code == 200


async def test_sessions_are_counted(client: Client) -> None:
    await client.new(image="bash")
    lost = await client.new(image="bash", idle_seconds=1)
    await until(client, lost, "lost")
    metrics = (await client.http.get("/metrics")).text
    assert "holdfast_sessions 1.0" in metrics and "holdfast_sessions_lost_total 1.0" in metrics


async def test_a_restarted_server_knows_what_was_lost(serving: Serving) -> None:
    before = await serving()
    session = await before.new(files={"given": "x"})
    await before.run(session, "open('made', 'w').write('y')")
    # The first application is still there: what the second finds is what a killed one leaves.
    after = await serving()
    status, code, sentence = await after.refused(session)
    assert (status, code, sentence) == (
        410,
        "session_lost",
        "The session is lost: The server ended without closing it; make a new one.",
    )
    found = (await after.http.get(f"/sessions/{session}")).json()
    assert found["status"] == "lost" and datetime.fromisoformat(found["expires_at"]) > datetime.now(UTC)
    assert (await after.http.get(f"/sessions/{session}/files/given")).content == b"x"
    assert (await after.http.get(f"/sessions/{session}/files/made")).content == b"y"
    assert (await after.http.delete(f"/sessions/{session}")).status_code == 204
