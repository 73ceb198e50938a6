"""An interpreter that someone keeps: state, values, displays, tracebacks, interrupts."""

import base64
import json
import random
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from holdfast.types import OPERATOR, SessionExitedEvent, SessionRunRequest
from tests.sessions.conftest import Client

pytestmark = pytest.mark.anyio

BUNDLES = """
class Shown:
    def __init__(self, name, value): self.bundle = {name: value}
    def _repr_mimebundle_(self, **_): return self.bundle
chart = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "bar", "data": {"values": [{"a": 1}]}}
from IPython.display import HTML, JSON, SVG, Latex, Markdown
display(HTML("<b>1</b>"), JSON({"a": [1, None]}), SVG("<svg xmlns='http://www.w3.org/2000/svg'/>"))
display(Latex("$x$"), Markdown("*x*"), Shown("application/vnd.vegalite.v5+json", chart))
display(Shown("image/jpeg", b"\\xff\\xd8"))
"""


async def test_state_is_kept_between_runs(client: Client) -> None:
    session = await client.new()
    await client.run(session, "x = 20\ndef double(n): return 2 * n\nimport math")
    assert await client.value(session, "double(x) + math.floor(2.5)") == "42"


async def test_state_survives_errors(client: Client) -> None:
    session = await client.new()
    await client.run(session, "x = 1")
    for code, name in (("1/0", "ZeroDivisionError"), ("def f(:", "SyntaxError"), ("undefined", "NameError")):
        result = await client.run(session, code)
        assert (result["status"], result["exit_code"], result["error"]["name"]) == ("failed", 1, name)
    assert await client.value(session, "x") == "1"


async def test_a_traceback_is_plain_text_with_a_shape(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, "def f():\n    raise ValueError('no good')\nf()")
    error = result["error"]
    assert (error["name"], error["value"]) == ("ValueError", "no good")
    assert "line 2, in f()" in error["traceback"] and "\x1b" not in error["traceback"]
    assert "session.py" not in error["traceback"]
    assert error["traceback"] in result["stderr"]


async def test_output_goes_where_it_always_goes(client: Client) -> None:
    session = await client.new()
    code = "import sys, os\nprint('out')\nprint('err', file=sys.stderr)\nos.system('echo child')\n!echo shell\nNone"
    result = await client.run(session, code)
    assert (result["stdout"], result["stderr"], result["displays"]) == ("out\nchild\nshell\n", "err\n", [])


async def test_everything_rich_comes_out_in_its_own_format(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, BUNDLES)
    assert result["status"] == "succeeded", result["stderr"]
    found: dict[str, Any] = {}
    for shown in result["displays"]:
        found |= shown["data"]
    assert found["text/html"] == "<b>1</b>"
    assert found["application/json"] == {"a": [1, None]}
    assert found["image/svg+xml"].startswith("<svg")
    assert (found["text/latex"], found["text/markdown"]) == ("$x$", "*x*")
    assert found["application/vnd.vegalite.v5+json"]["mark"] == "bar"
    assert base64.b64decode(found["image/jpeg"]) == b"\xff\xd8"


async def test_a_figure_of_matplotlib_is_a_png(client: Client) -> None:
    session = await client.new()
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nprint('drawn')"
    result = await client.run(session, code, timeout=60)
    images = [shown["data"]["image/png"] for shown in result["displays"] if "image/png" in shown["data"]]
    assert len(images) == 1, result["stderr"]
    assert base64.b64decode(images[0]).startswith(b"\x89PNG")


async def test_a_table_of_pandas_is_text_and_html(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, "import pandas\npandas.DataFrame({'a': [1, 2]})", timeout=60)
    data = result["displays"][0]["data"]
    assert "<table" in data["text/html"] and data["text/plain"].split() == ["a", "0", "1", "1", "2"]


async def test_events_come_in_the_order_they_happened(client: Client) -> None:
    session = await client.new()
    code = "for n in range(20):\n    print(n)\n    display(n)"
    events = []
    async with client.http.stream("POST", f"/sessions/{session}/run/stream", json={"code": code}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("started", "exited")
    told = [event.get("text", "").strip() or event["display"]["data"]["text/plain"] for event in events[1:-1]]
    assert told == [str(n) for n in range(20) for _ in range(2)]


async def test_a_timeout_interrupts_and_the_state_stays(client: Client) -> None:
    session = await client.new()
    await client.run(session, "x = 1")
    result = await client.run(session, "print('before', flush=True)\nwhile True: x += 1", timeout=0.5)
    assert (result["status"], result["exit_code"], result["stdout"]) == ("timed_out", 124, "before\n")
    assert result["notes"] == ["The code was interrupted; the session keeps its state."]
    told = result["error"]["traceback"].splitlines()
    assert told[-3:] == ["----> 2 while True: x += 1", "", "KeyboardInterrupt: "], "it ends where the code was"
    assert await client.value(session, "x > 1") == "True"


async def test_the_sdk_brings_metadata_back_and_each_run_has_its_own(client: Client) -> None:
    session = await client.new()
    first = await client.run(session, "from sdk import set_metadata, get_metadata\nset_metadata({'rows': [1, None]})")
    assert (first["metadata"], first["notes"]) == ({"rows": [1, None]}, [])
    assert (await client.run(session, "print(get_metadata())"))["metadata"] is None
    large = await client.run(session, "set_metadata('x' * 70_000)")
    assert large["metadata"] is None and "larger than 64 KB" in large["notes"][0]
    link = "import os\nos.remove('.holdfast/metadata.json')\nos.symlink('/etc/passwd', '.holdfast/metadata.json')"
    assert (await client.run(session, link))["metadata"] is None
    assert (await client.run(session, "set_metadata(3)"))["metadata"] == 3


async def test_the_time_limit_holds_although_nobody_reads_the_stream(client: Client) -> None:
    session = await client.new()
    code = (
        "import time\ntry:\n    time.sleep(60)\nexcept BaseException:\n    open('interrupted', 'w').close()\n    raise"
    )
    request = SessionRunRequest(code=code, timeout=0.5)
    async with aclosing(client.app.sessions.stream(session, request, OPERATOR)) as events:
        await anext(events)
        with anyio.fail_after(20):
            while b"interrupted" not in (await client.http.get(f"/sessions/{session}/files")).content:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        last = [event async for event in events][-1]
    assert isinstance(last, SessionExitedEvent)
    assert (last.result.status, last.result.exit_code) == ("timed_out", 124)


async def test_code_that_does_not_heed_an_interrupt_loses_the_session(client: Client) -> None:
    session = await client.new()
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nopen('kept', 'w').write('x')\n"
    result = await client.run(session, f"{deaf}while True: time.sleep(1)", timeout=0.5)
    assert (result["status"], result["exit_code"]) == ("timed_out", 124)
    assert "The session has ended" in result["notes"][0]
    status, code, sentence = await client.refused(session)
    assert (status, code) == (410, "session_lost")
    assert "interrupted" in sentence
    assert (await client.http.get(f"/sessions/{session}/files/kept")).content == b"x"


async def test_code_can_be_interrupted_from_outside(client: Client) -> None:
    session = await client.new()
    results = []

    async def run() -> None:
        results.append(await client.run(session, "print('on', flush=True)\nimport time\ntime.sleep(50)"))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await until_busy(client, session)
        answer = await client.http.post(f"/sessions/{session}/interrupt")
        assert (answer.status_code, answer.json()["status"]) == (200, "busy")
    assert (results[0]["status"], results[0]["exit_code"]) == ("cancelled", 130)
    assert await client.value(session, "1 + 1") == "2"


async def until_busy(client: Client, session: str) -> None:
    """Until the session runs something, and that has had the time to begin."""
    with anyio.fail_after(10):
        while (await client.http.get(f"/sessions/{session}")).json()["status"] != "busy":  # noqa: ASYNC110
            await anyio.sleep(0.02)
    await anyio.sleep(0.3)


async def test_an_interrupt_while_nothing_runs_does_nothing(client: Client) -> None:
    session = await client.new()
    for _ in range(3):
        assert (await client.http.post(f"/sessions/{session}/interrupt")).status_code == 200
    assert await client.value(session, "1 + 1") == "2"


async def test_leaving_does_not_end_the_session(client: Client) -> None:
    session = await client.new()
    for code, exit_code in (("import sys; sys.exit(3)", 3), ("exit()", 0), ("raise SystemExit('bye')", 1)):
        result = await client.run(session, code)
        assert (result["exit_code"], result["error"]) == (exit_code, None)
    assert result["stderr"] == "bye\n"
    assert await client.value(session, "1") == "1"


async def test_an_interpreter_that_ends_loses_the_session_with_its_reason(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, "import os; os._exit(7)")
    assert (result["status"], result["exit_code"]) == ("failed", 7)
    assert await client.refused(session) == (
        410,
        "session_lost",
        "The session is lost: Its interpreter ended with exit code 7; make a new one.",
    )


async def test_too_much_memory_is_a_result_and_loses_the_session(client: Client) -> None:
    session = await client.new(mem_limit="128m")
    result = await client.run(session, "kept = b'x' * (200 << 20)")
    assert (result["status"], result["exit_code"]) == ("out_of_memory", 137)
    assert "memory" in (await client.refused(session))[2]


async def test_input_is_at_its_end(client: Client) -> None:
    session = await client.new()
    assert (await client.run(session, "input()"))["error"]["name"] == "EOFError"


async def test_await_works_at_the_top(client: Client) -> None:
    session = await client.new()
    assert await client.value(session, "import asyncio\nawait asyncio.sleep(0.01, 'slept')") == "'slept'"


async def test_a_forked_child_does_not_answer_for_its_parent(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, "import os\nif os.fork() == 0:\n    print('child', flush=True)\nelse: os.wait()")
    assert (result["status"], result["stdout"]) == ("succeeded", "child\n")
    assert await client.value(session, "1") == "1"


async def test_what_is_written_between_runs_is_dropped_and_said_so(client: Client) -> None:
    session = await client.new()
    await client.run(session, "import threading\nthreading.Timer(0.3, lambda: print('later', flush=True)).start()")
    await anyio.sleep(0.8)
    result = await client.run(session, "print('now')")
    assert result["stdout"] == "now\n"
    assert result["notes"] == ["6 bytes that were written between runs were dropped."]


async def test_a_flood_between_runs_loses_the_session(client: Client) -> None:
    session = await client.new(max_output_bytes=1000)
    floods = "import threading, time\ndef flood():\n    time.sleep(0.3)\n    while True: print('x' * 100)\n"
    await client.run(session, floods + "threading.Thread(target=flood, daemon=True).start()")
    with anyio.fail_after(10):
        while (await client.http.get(f"/sessions/{session}")).json()["status"] != "lost":  # noqa: ASYNC110
            await anyio.sleep(0.05)
    assert "flooded" in (await client.refused(session))[2]


async def test_output_is_capped_and_a_flood_is_interrupted(client: Client) -> None:
    session = await client.new(max_output_bytes=1000)
    result = await client.run(session, "print('x' * 5000)")
    assert (result["status"], len(result["stdout"]), result["truncated"]["stdout"]) == ("succeeded", 1000, True)
    result = await client.run(session, "while True: print('x' * 100)")
    assert result["status"] == "output_limit"
    assert await client.value(session, "1") == "1"


async def test_displays_beyond_the_cap_are_dropped_and_said_so(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, "for _ in range(4): display({'text/plain': 'x' * (3 << 20)}, raw=True)")
    assert len(result["displays"]) == 2
    assert result["notes"] == ["Displays beyond 8 MiB or 1,000 were dropped."]


async def test_a_flood_of_displays_is_interrupted(client: Client) -> None:
    session = await client.new()
    result = await client.run(session, "while True: display({'text/plain': 'x' * 1_000_000}, raw=True)")
    assert (result["status"], len(result["displays"])) == ("output_limit", 8)
    assert await client.value(session, "1") == "1"


@pytest.mark.parametrize(
    "frame", ['{"op": "done"}', '{"op": "ready"}', '{"op": "failed", "error": ""}', "[" * 5000, "\\xff", "null"]
)
async def test_an_interpreter_that_makes_no_sense_is_ended(client: Client, frame: str) -> None:
    session = await client.new()
    line = f"b'{frame}\\n'"
    forged = f"import os\nfor fd in range(3, 20):\n    try: os.write(fd, {line})\n    except OSError: pass"
    result = await client.run(session, f"{forged}\nimport time; time.sleep(20)")
    assert result["status"] == "cancelled"
    assert "made no sense" in (await client.refused(session))[2]


async def test_usage_is_what_the_kernel_counted_for_this_run(client: Client) -> None:
    session = await client.new()
    code = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    busy = (await client.run(session, code))["usage"]
    idle = (await client.run(session, "1"))["usage"]
    assert busy["cpu_user_seconds"] + busy["cpu_system_seconds"] >= 0.4
    assert idle["cpu_user_seconds"] + idle["cpu_system_seconds"] < 0.3
    assert busy["memory_peak_bytes"] > 10 << 20


async def test_odd_text_is_no_failure_of_ours(client: Client) -> None:
    session = await client.new()
    assert await client.value(session, "'\\ud800'") == "'\\ud800'"
    assert (await client.run(session, "raise ValueError('\\ud800')"))["error"]["value"] == "?"
    shown = await client.run(session, "display({'application/json': [float('nan')], 'text/plain': 'x'}, raw=True)")
    assert shown["displays"][0]["data"] == {"text/plain": "x"}
    deep = "deep = []\nfor _ in range(300): deep = [deep]\n"
    shown = await client.run(session, deep + "display({'application/json': deep, 'text/plain': 'x'}, raw=True)")
    assert shown["displays"][0]["data"] == {"text/plain": "x"}
    bad = "display({'text/plain': 'x'}, raw=True, metadata={'text/plain': {1: object()}})"
    assert (await client.run(session, bad))["displays"][0]["metadata"] == {}


async def test_interrupts_at_any_moment_do_no_harm(client: Client) -> None:
    session = await client.new()
    await client.run(session, "x = 1")
    statuses = []

    async def bother(scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                await anyio.sleep(random.random() * 0.006)
                await client.http.post(f"/sessions/{session}/interrupt")

    codes = ("display(1)\nprint(2)", "sum([i * i for i in range(20000)])", "1/0", "import time; time.sleep(0.003)")
    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(bother, scope)
        for number in range(120):
            statuses.append((await client.run(session, codes[number % len(codes)]))["status"])
        scope.cancel()
    assert set(statuses) <= {"succeeded", "failed", "cancelled"} and "cancelled" in statuses
    assert await client.value(session, "x") == "1"
