"""Code of a session that attacks what keeps it: forged frames, races with its files, the history of the shell."""

import anyio
import pytest

from holdfast.testing.attacks.canaries import processes_with
from holdfast.types import SessionRunResult
from tests.sessions.conftest import Client

pytestmark = pytest.mark.anyio

WIRE = "import gc\nwire = next(found for found in gc.get_objects() if type(found).__name__ == 'Wire')\n"
SHOWN = '{"op": "display", "id": 1, "kind": "value", "data": {"application/json": %s}}'
HARMLESS = {
    "a number that is none": SHOWN % "NaN",
    "a number without end": SHOWN % "1e999",
    "a number of many digits": SHOWN % ("9" * 4000),
    "a format that is a path": '{"op": "display", "id": 1, "kind": "value", "data": {"../../x": "<script>"}}',
    "a display with the verdict of a run": SHOWN % '{"type": "exited", "result": {"status": "succeeded"}}',
    "thousands of displays": "\n".join(['{"op": "display", "id": 1, "kind": "display", "data": {}}'] * 3000),
}
SENSELESS = {
    "no text": b"\xff",
    "half a surrogate pair": (SHOWN % r'"\ud800"').encode(),
    "nesting without end": (SHOWN % ("[" * 100_000 + "]" * 100_000)).encode(),
    "an exit code that is none": b'{"op": "done", "id": 1, "exit_code": 4711, "count": 1}',
    "a second beginning": b'{"op": "ready"}',
}
FORGES = WIRE + "wire._out.write(%s + b'\\n')\nwire._out.flush()\n"


@pytest.mark.parametrize("frames", HARMLESS)
async def test_a_forged_display_is_only_a_display(client: Client, frames: str) -> None:
    session = await client.new()
    result = await client.run(session, FORGES % repr(HARMLESS[frames].encode()) + "raise KeyError('mine')")
    assert (result["status"], result["exit_code"], result["error"]["name"]) == ("failed", 1, "KeyError")
    assert SessionRunResult.model_validate(result).displays
    assert await client.value(session, "1 + 1") == "2"


@pytest.mark.parametrize("frames", SENSELESS)
async def test_what_makes_no_sense_ends_its_own_session_alone(client: Client, frames: str) -> None:
    session, other = await client.new(), await client.new()
    result = await client.run(session, FORGES % repr(SENSELESS[frames]))
    assert (result["status"], result["exit_code"]) == ("cancelled", 137)
    assert "what it said made no sense" in result["notes"][0]
    assert (await client.refused(session))[:2] == (410, "session_lost")
    assert await client.value(other, "1 + 1") == "2"


async def test_an_end_that_is_forged_in_advance_never_answers_for_a_run_to_come(client: Client) -> None:
    session = await client.new()
    early = WIRE + "wire.send({'op': 'done', 'id': 2, 'exit_code': 0, 'count': 7, 'error': None})"
    await client.run(session, early)
    answer = await client.http.post(f"/sessions/{session}/run", json={"code": "1 / 0"})
    if answer.status_code == 200:
        assert answer.json()["status"] != "succeeded"
    assert "what it said made no sense" in (await client.refused(session))[2]


SWAPS = """
import os, threading
def swap():
    os.mkdir('real'); open('real/environ', 'w').write('mine')
    while True:
        for place in (%r, 'real'):
            os.symlink(place, 'next'); os.rename('next', 'd')
threading.Thread(target=swap, daemon=True).start()
"""


@pytest.mark.parametrize("place", ["/proc/1", "/proc/self", "/proc/self/root/etc", "/opt/holdfast/env"])
async def test_a_directory_that_becomes_a_link_again_and_again_leads_nowhere(client: Client, place: str) -> None:
    session = await client.new()
    await client.run(session, SWAPS % place)
    for number in range(40):
        path = f"/sessions/{session}/files/d/environ"
        read, written = await client.http.get(path), await client.http.put(path, content=b"mine")
        assert read.status_code in {200, 400, 404}, read.text
        assert read.status_code != 200 or read.content in {b"mine", b""}, number
        assert written.status_code in {204, 400, 404, 409}, written.text
    assert await client.value(session, "1 + 1") == "2"


async def test_no_history_of_another_session_is_to_be_found(client: Client) -> None:
    one, other = await client.new(), await client.new()
    word = "a-secret-of-one"
    await client.run(one, f"kept = {word!r}")
    looks = "%history -g\n!cat ~/.ipython/*/history.sqlite\n!grep -rl 'a-secret-of'one ~ /tmp /var/tmp /workspace"
    result = await client.run(other, looks)
    assert word not in result["stdout"] + result["stderr"]


async def test_a_background_script_is_over_with_its_session(client: Client) -> None:
    session = await client.new()
    marker = "from-a-script-of-a-session"
    code = f"%%script bash --bg --out said\nexec -a {marker} sleep 600"
    assert (await client.run(session, code))["exit_code"] == 0
    with anyio.fail_after(15):
        while not processes_with(marker):  # noqa: ASYNC110  # it is told to nobody
            await anyio.sleep(0.05)
    await client.http.delete(f"/sessions/{session}")
    with anyio.fail_after(15):
        while processes_with(marker):  # noqa: ASYNC110  # the kernel takes a moment
            await anyio.sleep(0.05)
