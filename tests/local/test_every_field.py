"""Every field of every request over HTTP, each with what it does on the real engine; and every field of an answer."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from holdfast.api import create_api
from holdfast.settings import load_settings
from holdfast.types import (
    GradeRequest,
    GradeResult,
    PrebuildRequest,
    RunRequest,
    RunResult,
    Session,
    SessionRequest,
    SessionRunRequest,
    SessionRunResult,
    Verdict,
)
from holdfast.types import TestCase as Case
from tests.conftest import lacks, local_app

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Shows = Callable[[Json], object]
MIB = 1 << 20

FIELDS: dict[str, tuple[Json, Shows, object]] = {
    "code": ({"code": "print(6 * 7)"}, lambda said: said["stdout"], "42\n"),
    "image": ({"code": "echo $BASH_VERSION", "image": "bash"}, lambda said: said["stdout"][0] in "45", True),
    "files": (
        {"code": "print(open('d/a').read(), open('b', 'rb').read())", "files": {"d/a": "x", "b": {"base64": "AP8="}}},
        lambda said: said["stdout"],
        "x b'\\x00\\xff'\n",
    ),
    "args": (
        {"code": "import sys; print(sys.argv[1:])", "args": ["-a", "b c"]},
        lambda s: s["stdout"],
        "['-a', 'b c']\n",
    ),
    "stdin": ({"code": "print(input())", "stdin": "typed"}, lambda said: said["stdout"], "typed\n"),
    "environment": (
        {"code": "import os; print(os.environ['A'])", "environment": {"A": "b"}},
        lambda said: said["stdout"],
        "b\n",
    ),
    "entrypoint": ({"entrypoint": "echo $((1 + 1)) > f; cat f"}, lambda said: said["stdout"], "2\n"),
    "timeout": (
        {"code": "while True: pass", "timeout": 0.3},
        lambda said: (said["status"], said["exit_code"], said["limits"]["wall_seconds"]),
        ("timed_out", 124, 0.3),
    ),
    "cpu_seconds": (
        {"code": "while True: pass", "cpu_seconds": 0.3, "timeout": 20},
        lambda said: (said["status"], said["limits"]["cpu_seconds"]),
        ("timed_out", 0.3),
    ),
    "mem_limit": (
        {"code": "x = bytearray(100 << 20)", "mem_limit": "64m"},
        lambda said: (said["status"], said["limits"]["memory_bytes"]),
        ("out_of_memory", 64 * MIB),
    ),
    "disk_limit": (
        {"code": "open('f', 'wb').write(bytes(3 << 20))", "disk_limit": "2m"},
        lambda said: (said["status"], said["limits"]["disk_bytes"]),
        ("disk_limit", 2 * MIB),
    ),
    "cpu_shares": ({"code": "1", "cpu_shares": 128}, lambda said: said["limits"]["cpu_shares"], 128),
    "cpus": (
        {
            "code": "import time; s = time.process_time(); e = time.time() + 1\nwhile time.time() < e: pass\n"
            "print(time.process_time() - s < 0.6)",
            "cpus": 0.25,
        },
        lambda said: (said["stdout"], said["limits"]["cpus"]),
        ("True\n", 0.25),
    ),
    "processes": (
        {
            "code": "import threading, time\ntry:\n for _ in range(40): threading.Thread(target=time.sleep, args=(1,),"
            " daemon=True).start()\nexcept RuntimeError: print('no more', flush=True); import os; os._exit(0)",
            "processes": 8,
        },
        lambda said: (said["stdout"], said["limits"]["processes"]),
        ("no more\n", 8),
    ),
    "open_files": (
        {
            "code": "try: kept = [open('/dev/null') for _ in range(40)]\nexcept OSError as why: print(why.strerror)",
            "open_files": 32,
        },
        lambda said: said["stdout"],
        "Too many open files\n",
    ),
    "allow_network": (
        {"code": "1", "allow_network": True},
        lambda said: (said["status"], said["field"]),
        (422, "allow_network"),
    ),
    "artifacts": (
        {"code": "open('out.txt', 'w').write('hi')", "artifacts": ["*.txt"]},
        lambda said: [(each["path"], base64.b64decode(each["base64"])) for each in said["artifacts"]],
        [("out.txt", b"hi")],
    ),
    "max_output_bytes": (
        {"code": "print('x' * 100)", "max_output_bytes": 10},
        lambda said: (said["stdout"], said["truncated"]["stdout"], said["status"]),
        ("x" * 10, True, "succeeded"),
    ),
    "prebuild_spec": (
        {
            "code": "print(open('/opt/holdfast/layer/f').read())",
            "prebuild_spec": {"base_image": "python", "setup_script": "printf made > f"},
        },
        lambda said: said["stdout"],
        "made\n",
    ),
    "tests": (
        {"code": "x = 1", "tests": [{"type": "variable_value", "variable": "x", "expected": 1}]},
        lambda said: said["allPassed"],
        True,
    ),
}

CASES: dict[str, tuple[Json, Shows, object]] = {
    "type": (
        {"type": "variable_exists", "variable": "v"},
        lambda seen: (seen["type"], seen["passed"]),
        ("variable_exists", True),
    ),
    "description": ({"description": "what"}, lambda seen: seen["description"], "what"),
    "variable": ({"type": "variable_exists", "variable": "absent"}, lambda seen: seen["passed"], False),
    "expected": ({"type": "variable_value", "variable": "v", "expected": [1, 2.5]}, lambda seen: seen["passed"], True),
    "expected_type": (
        {"type": "variable_type", "variable": "v", "expectedType": "list"},
        lambda seen: (seen["passed"], seen["expected"]),
        (True, "list"),
    ),
    "function": (
        {"type": "function_call", "function": "f", "args": [3], "expected": 6},
        lambda seen: seen["actual"],
        6,
    ),
    "args": (
        {"type": "function_call", "function": "f", "args": ["a"], "expected": "aa"},
        lambda seen: seen["passed"],
        True,
    ),
    "kwargs": (
        {"type": "function_call", "function": "f", "args": [3], "kwargs": {"by": 5}, "expected": 15},
        lambda seen: seen["passed"],
        True,
    ),
    "stdin": ({"type": "stdin", "stdin": "in", "expected_stdout": "in"}, lambda seen: seen["passed"], True),
    "expected_stdout": (
        {"type": "stdin", "stdin": "in", "expected_stdout": "out"},
        lambda seen: seen["actual"],
        "in\n",
    ),
    "comparator": (
        {"type": "stdin", "stdin": "in", "expected_stdout": "in", "comparator": "exact"},
        lambda seen: seen["passed"],
        False,
    ),
    "tolerance": (
        {"type": "stdin", "stdin": "1.04", "expected_stdout": "1", "comparator": "float", "tolerance": 0.05},
        lambda seen: seen["passed"],
        True,
    ),
    "checker": (
        {"type": "stdin", "stdin": "7", "checker": {"code": "exit(open('actual.txt').read() != '7\\n')"}},
        lambda seen: seen["passed"],
        True,
    ),
    "points": ({"points": 2.5}, lambda seen: (seen["points"], seen["max_points"]), (2.5, 2.5)),
    "hidden": ({"hidden": True}, lambda seen: (seen["hidden"], seen["expected"], seen["actual"]), (True, None, None)),
    "timeout": (
        {"type": "stdin", "stdin": "sleep", "expected_stdout": "", "timeout": 0.3},
        lambda seen: seen["status"],
        "timed_out",
    ),
    "mem_limit": (
        {"type": "stdin", "stdin": "hoard", "expected_stdout": "", "mem_limit": "48m"},
        lambda seen: seen["status"],
        "out_of_memory",
    ),
}
SUBMISSION = """
v = [1, 2.5]
def f(x, by=2): return x * by
said = input()
if said == 'sleep': import time; time.sleep(30)
if said == 'hoard': kept = bytearray(100 << 20)
print(said)
"""

SESSION_FIELDS: dict[str, tuple[Json, str, Shows, object]] = {
    "image": ({"image": "bash"}, "echo hi", lambda said: said["stdout"], "hi\n"),
    "idle_seconds": ({"idle_seconds": 61}, "1", lambda said: said["session"]["idle_seconds"], 61),
    "lifetime_seconds": ({"lifetime_seconds": 62}, "1", lambda said: said["session"]["lifetime_seconds"], 62),
    "timeout": ({"timeout": 0.3}, "while True: pass", lambda said: said["status"], "timed_out"),
    "mem_limit": ({"mem_limit": "128m"}, "x = bytearray(200 << 20)", lambda said: said["status"], "out_of_memory"),
    "disk_limit": (
        {"disk_limit": "2m"},
        "open('f', 'wb').write(bytes(3 << 20))",
        lambda said: said["status"],
        "failed",
    ),
    "cpu_shares": ({"cpu_shares": 128}, "1", lambda said: said["limits"]["cpu_shares"], 128),
    "cpus": ({"cpus": 0.5}, "1", lambda said: said["limits"]["cpus"], 0.5),
    "processes": ({"processes": 9}, "1", lambda said: said["limits"]["processes"], 9),
    "open_files": (
        {"open_files": 64},
        "try: kept = [open('/dev/null') for _ in range(80)]\nexcept OSError as error: print(error.strerror)",
        lambda said: said["stdout"],
        "Too many open files\n",
    ),
    "max_output_bytes": ({"max_output_bytes": 5}, "print('x' * 9)", lambda said: said["stdout"], "xxxxx"),
    "environment": (
        {"environment": {"A": "b"}},
        "import os; print(os.environ['A'])",
        lambda said: said["stdout"],
        "b\n",
    ),
    "files": ({"files": {"d/a": "x"}}, "print(open('d/a').read())", lambda said: said["stdout"], "x\n"),
    "prebuild_spec": (
        {"prebuild_spec": {"base_image": "bash", "setup_script": "printf made > f"}},
        "cat /opt/holdfast/layer/f",
        lambda said: said["stdout"],
        "made",
    ),
}


@pytest.fixture(scope="module")
async def client(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    usual = load_settings()
    places = {"guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    state_dir: Path = tmp_path_factory.mktemp("state")
    async with local_app(state_dir=state_dir, pool_size=0, **places) as app, app.prebuilds.open(), app.sessions.open():
        if app.executor.engine.capabilities.cgroup == "none":
            lacks("local", "this host has no control groups, so not every limit can be asked for")
        transport = httpx.ASGITransport(create_api(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
            yield client


def test_every_field_has_a_case() -> None:
    assert FIELDS.keys() == GradeRequest.model_fields.keys() > RunRequest.model_fields.keys()
    assert CASES.keys() == Case.model_fields.keys()
    assert SESSION_FIELDS.keys() == SessionRequest.model_fields.keys()
    assert {*SessionRunRequest.model_fields} == {"code", "timeout"}, "both are in the case below"


@pytest.mark.parametrize("field", FIELDS)
async def test_a_field_of_a_run_does_what_it_says(client: httpx.AsyncClient, field: str) -> None:
    body, shows, expected = FIELDS[field]
    assert shows((await client.post("/run", json=body)).json()) == expected


@pytest.mark.parametrize("field", CASES)
async def test_a_field_of_a_test_does_what_it_says(client: httpx.AsyncClient, field: str) -> None:
    case, shows, expected = CASES[field]
    usual = {"type": "variable_exists", "variable": "v"} if "type" not in case else {}
    body = {"code": SUBMISSION, "stdin": "usual", "tests": [{**usual, **case}]}
    (seen,) = (await client.post("/run", json=body)).json()["testResults"]
    assert seen.keys() == Verdict.model_fields.keys()
    assert shows(seen) == expected, seen


@pytest.mark.parametrize("field", SESSION_FIELDS)
async def test_a_field_of_a_session_does_what_it_says(client: httpx.AsyncClient, field: str) -> None:
    body, code, shows, expected = SESSION_FIELDS[field]
    session = (await client.post("/sessions", json=body)).json()
    assert session.keys() == Session.model_fields.keys()
    said = (await client.post(f"/sessions/{session['session_id']}/run", json={"code": code})).json()
    assert said.keys() == SessionRunResult.model_fields.keys()
    assert shows({**said, "session": session}) == expected, said
    assert (await client.delete(f"/sessions/{session['session_id']}")).status_code == 204


async def test_the_timeout_of_a_run_in_a_session_wins_over_that_of_the_session(client: httpx.AsyncClient) -> None:
    session = (await client.post("/sessions", json={"timeout": 60})).json()["session_id"]
    said = await client.post(f"/sessions/{session}/run", json={"code": "while True: pass", "timeout": 0.3})
    assert (said.json()["status"], said.json()["limits"]["wall_seconds"]) == ("timed_out", 0.3)


async def test_a_prebuilt_environment_heeds_every_field(client: httpx.AsyncClient) -> None:
    body = {
        "tag": "all-fields",
        "base_image": "bash",
        "setup_script": "cp /workspace/given .",
        "files": {"given": "x"},
        "allow_network": False,
        "shared": True,
    }
    assert body.keys() == PrebuildRequest.model_fields.keys()
    made = (await client.post("/prebuild", json=body)).json()
    assert (made["tag"], made["base_image"], made["shared"]) == ("prebuilt-all-fields", "bash", True)
    ran = await client.post("/run", json={"code": "cat /opt/holdfast/layer/given", "image": "all-fields"})
    assert ran.json()["stdout"] == "x"
    refused = await client.post("/prebuild", json={**body, "allow_network": True})
    assert (refused.status_code, refused.json()["field"]) == (422, "allow_network")


async def test_every_field_of_an_answer_is_there(client: httpx.AsyncClient) -> None:
    plain = (await client.post("/run", json={"code": "1"})).json()
    assert plain.keys() == RunResult.model_fields.keys()
    graded = (await client.post("/run", json={"code": "1", "tests": []})).json()
    assert graded.keys() == {field.alias or name for name, field in GradeResult.model_fields.items()}
    for part in ("usage", "timings", "limits", "isolation", "truncated"):
        kind = RunResult.model_fields[part].annotation
        assert plain[part].keys() == (get_args(kind) or (kind,))[0].model_fields.keys()


@pytest.mark.parametrize("image", ["python", "node", "bash", "deno", "bun", "rust", "sql"])
async def test_code_of_exactly_one_megabyte_and_200_files_run(client: httpx.AsyncClient, image: str) -> None:
    comment, code = {
        "python": ("#", "import os\nprint(len(os.listdir('data')))\n"),
        "bash": ("#", "ls data | wc -l\n"),
        "sql": ("--", "SELECT count(*) AS files FROM glob('data/*');\n"),
        "rust": ("//", 'fn main() { println!("{}", std::fs::read_dir("data").unwrap().count()); }\n'),
    }.get(image, ("//", "import fs from 'node:fs'; console.log(fs.readdirSync('data').length);\n"))
    if image == "node":
        code = "console.log(require('fs').readdirSync('data').length);\n"
    body = {
        "image": image,
        "code": code + comment + "x" * (1_048_576 - len(code) - len(comment) - 1) + "\n",
        "files": {f"data/{number}.txt": "x" * 100 for number in range(200)},
    }
    assert len(body["code"]) == 1_048_576
    answer = (await client.post("/run", json=body)).json()
    if answer.get("code") == "runtime_not_available":
        lacks("languages", answer["detail"])
    assert "200" in answer["stdout"].split(), answer
