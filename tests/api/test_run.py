"""`POST /run` through the real ASGI application."""

import json

import httpx
import pytest

from holdfast.languages import LANGUAGES
from holdfast.types import RunResult

pytestmark = pytest.mark.anyio


async def test_a_program_runs_and_the_result_has_the_fields_of_the_earlier_system(client: httpx.AsyncClient) -> None:
    answer = await client.post("/run", json={"code": "print(sum(range(1, 101)))", "image": "python"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["stdout"] == "5050\n"
    assert body["stderr"] == ""
    assert body["exit_code"] == 0
    assert body["execution_time"] == round(body["execution_time"], 4) > 0


async def test_a_result_says_how_it_ended_what_it_used_and_what_held_it(client: httpx.AsyncClient) -> None:
    result = RunResult.model_validate_json((await client.post("/run", json={"code": "raise SystemExit(3)"})).content)
    assert (result.status, result.exit_code) == ("failed", 3)
    assert result.isolation.engine == "unisolated"
    assert result.usage.wall_seconds > 0
    assert result.limits.memory_bytes == 256 << 20
    assert result.limits.disk_bytes == 192 << 20, "an unasked disk leaves a quarter of the memory to the program"
    assert result.run_id.startswith("run-")
    assert len(result.run_id) == len("run-") + 32


async def test_two_runs_never_share_an_id(client: httpx.AsyncClient) -> None:
    ids = {(await client.post("/run", json={"code": "pass"})).json()["run_id"] for _ in range(3)}
    assert len(ids) == 3


async def test_stdin_args_environment_files_and_artifacts_reach_the_program(client: httpx.AsyncClient) -> None:
    code = """
import os, sys, pathlib
text = pathlib.Path("data/in.txt").read_text() + sys.stdin.read() + sys.argv[1] + os.environ["WORD"]
pathlib.Path("out.txt").write_text(text + pathlib.Path("raw").read_bytes().hex())
"""
    body = {
        "code": code,
        "files": {"data/in.txt": "a", "raw": {"base64": "AP8="}},
        "stdin": "b",
        "args": ["c"],
        "environment": {"WORD": "d"},
        "artifacts": ["*.txt"],
    }
    result = RunResult.model_validate_json((await client.post("/run", json=body)).content)
    assert {artifact.path: artifact.content() for artifact in result.artifacts} == {"out.txt": b"abcd00ff"}


async def test_language_is_another_name_for_image_and_seed_names_work(client: httpx.AsyncClient) -> None:
    for body in ({"language": "bash"}, {"image": "code-runner-bash"}):
        answer = await client.post("/run", json={"code": "echo $0", **body})
        assert answer.json()["stdout"] == "main.sh\n"


async def test_an_entrypoint_gets_args_as_positional_parameters(client: httpx.AsyncClient) -> None:
    body = {"entrypoint": 'echo "$1-$2"', "args": ["a b", "$(id)"]}
    assert (await client.post("/run", json=body)).json()["stdout"] == "a b-$(id)\n"


async def test_a_timeout_is_a_result_with_the_partial_output(client: httpx.AsyncClient) -> None:
    body = {"code": "import time; print('early', flush=True); time.sleep(60)", "timeout": 0.5}
    result = (await client.post("/run", json=body)).json()
    assert (result["status"], result["exit_code"], result["stdout"]) == ("timed_out", 124, "early\n")


async def test_a_signal_is_a_result(client: httpx.AsyncClient) -> None:
    result = (await client.post("/run", json={"entrypoint": "kill -SEGV $$"})).json()
    assert (result["status"], result["exit_code"]) == ("signaled", 139)


async def test_output_beyond_the_cap_is_dropped_and_the_status_stays_the_programs_own(
    client: httpx.AsyncClient,
) -> None:
    body = {"code": "import sys; print('é' * 100); print('x', file=sys.stderr)", "max_output_bytes": 11}
    result = (await client.post("/run", json=body)).json()
    assert result["stdout"] == "ééééé", "half of the sixth character is not shown"
    assert result["truncated"] == {"stdout": True, "stderr": False}
    assert result["status"] == "succeeded"


async def test_a_flood_of_output_is_ended(client: httpx.AsyncClient) -> None:
    body = {"code": "while True: print('x' * 10000)", "max_output_bytes": 1000, "timeout": 30}
    result = (await client.post("/run", json=body)).json()
    assert (result["status"], result["exit_code"]) == ("output_limit", 137)
    assert len(result["stdout"]) == 1000


async def test_output_that_is_not_utf_8_is_replaced(client: httpx.AsyncClient) -> None:
    code = "import sys; sys.stdout.buffer.write(b'a\\xff\\xc3')"
    answer = await client.post("/run", json={"code": code})
    assert answer.json()["stdout"] == "a\ufffd\ufffd"


async def test_every_answer_carries_a_request_id_and_a_short_plain_one_is_kept(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).headers["x-request-id"].startswith("req-")
    assert (await client.get("/healthz", headers={"X-Request-ID": "abc-1"})).headers["x-request-id"] == "abc-1"
    for bad in ("a b", "x" * 65, "a;b"):
        assert (await client.get("/healthz", headers={"X-Request-ID": bad})).headers["x-request-id"] != bad


async def test_runs_are_counted_by_language_and_status(client: httpx.AsyncClient) -> None:
    await client.post("/run", json={"code": "pass"})
    await client.post("/run", json={"code": "1/0"})
    await client.post("/run", json={"code": "1", "image": "cobol"})
    text = (await client.get("/metrics")).text
    assert 'holdfast_runs_total{language="python",status="succeeded"} 1.0' in text
    assert 'holdfast_runs_total{language="python",status="failed"} 1.0' in text
    assert 'holdfast_rejected_total{code="unknown_language"} 1.0' in text
    for name in (
        "holdfast_running",
        "holdfast_queued",
        "holdfast_run_seconds_count",
        "holdfast_launcher_restarts_total",
    ):
        assert name in text


async def test_metrics_and_logs_hold_nothing_of_what_was_run(
    client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    body = {"code": "print('c0de')", "stdin": "st4in", "environment": {"KEY": "s3cret"}, "image": "python"}
    await client.post("/run", json=body)
    await client.post("/run", json={**body, "timeout": "s3cret"})
    text = (await client.get("/metrics")).text + "".join(capfd.readouterr())
    assert not [word for word in ("c0de", "st4in", "s3cret") if word in text]


async def test_health_tells_what_is_enforced_and_is_truthful_about_docker(client: httpx.AsyncClient) -> None:
    health = (await client.get("/health")).json()
    assert health["service"] == "holdfast"
    assert health["status"] == "degraded", "an engine without layers is below the usual floor"
    assert health["engine"] == "unisolated"
    assert health["auth_enabled"] is False
    assert health["enforced"]["layers"] == []
    assert health["enforced"]["limits"] == ["wall_seconds"]


async def test_runtimes_and_images_list_every_language_with_its_readiness(client: httpx.AsyncClient) -> None:
    runtimes, images = (await client.get("/runtimes")).json(), (await client.get("/images")).json()
    assert runtimes == images
    assert runtimes["default"] == "code-runner-python"
    python = next(image for image in runtimes["images"] if image["id"] == "code-runner-python")
    assert python["default_entrypoint"] == "python main.py"
    assert (python["file_extension"], python["main_file"], python["ready"]) == (".py", "main.py", True)
    node = next(image for image in runtimes["images"] if image["id"] == "code-runner-node")
    assert (python["version"], node["version"], node["ready"]) == ("3.11", None, False)
    assert node["install"] == "holdfast languages add node"
    assert [image["id"] for image in runtimes["images"]] == [f"code-runner-{name}" for name in LANGUAGES]
    assert {image["id"] for image in runtimes["images"] if image["ready"]} == {"code-runner-python", "code-runner-bash"}


async def test_the_root_is_a_page_or_the_message_of_the_earlier_system(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "/docs" in page.text
    message = await client.get("/", headers={"Accept": "application/json"})
    assert message.json() == {"message": "Code Runner is operational."}
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_the_api_description_documents_bodies_answers_and_problems(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    run = schema["paths"]["/run"]["post"]
    assert run["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/GradeRequest")
    answers = run["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert [answer["$ref"].rpartition("/")[2] for answer in answers] == ["GradeResult", "RunResult"]
    refused = run["responses"]["429"]["$ref"].rpartition("/")[2]
    assert "application/problem+json" in schema["components"]["responses"][refused]["content"]
    text = json.dumps(schema)
    referenced = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert referenced <= set(schema["components"]["schemas"])
