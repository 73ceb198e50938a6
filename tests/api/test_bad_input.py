"""Bad input gets a problem document with the field and the reason, and nothing is executed."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import Message, Scope

from holdfast import types
from holdfast.api import create_api, described, pyquest
from holdfast.app import App

pytestmark = pytest.mark.anyio

BAD_BODIES: dict[str, tuple[dict[str, Any], int, str, str | None]] = {
    "unknown language": ({"image": "cobol"}, 404, "unknown_language", "image"),
    "a registry reference": ({"image": "docker.io/evil:latest"}, 404, "unknown_language", "image"),
    "a language that is not installed": ({"image": "node"}, 503, "runtime_not_available", "image"),
    "neither code nor entrypoint": ({"code": None}, 400, "malformed_request", "code"),
    "code above 1 MiB": ({"code": "#" * 1_048_577}, 413, "too_large", "code"),
    "1001 files": ({"files": {f"f{n}": "" for n in range(1001)}}, 413, "too_large", "files"),
    "files above 8 MiB": ({"files": {"a": "x" * (4 << 20), "b": "x" * (4 << 20) + "y"}}, 413, "too_large", "files"),
    "a climbing name": ({"files": {"a/../../b": ""}}, 400, "invalid_file_name", "files"),
    "an absolute name": ({"files": {"/etc/passwd": ""}}, 400, "invalid_file_name", "files"),
    "a name with NUL": ({"files": {"a\0b": ""}}, 400, "invalid_file_name", "files"),
    "an over-long name": ({"files": {"a" * 256: ""}}, 400, "invalid_file_name", "files"),
    "a name that is the main file": ({"files": {"main.py": ""}}, 400, "invalid_file_name", "files"),
    "ENCODED_CODE": ({"environment": {"ENCODED_CODE": ""}}, 422, "invalid_field", "environment"),
    "ENCODED_FILES": ({"environment": {"ENCODED_FILES": ""}}, 422, "invalid_field", "environment"),
    "CUSTOM_ENTRYPOINT": ({"environment": {"CUSTOM_ENTRYPOINT": ""}}, 422, "invalid_field", "environment"),
    "LD_PRELOAD": ({"environment": {"LD_PRELOAD": ""}}, 422, "invalid_field", "environment"),
    "a negative timeout": ({"timeout": -1}, 422, "invalid_field", "timeout"),
    "a zero timeout": ({"timeout": 0}, 422, "invalid_field", "timeout"),
    "a timeout in words": ({"timeout": "soon"}, 422, "invalid_field", "timeout"),
    "true as a timeout": ({"timeout": True}, 422, "invalid_field", "timeout"),
    "false as a number of processes": ({"processes": False}, 422, "invalid_field", "processes"),
    "a timeout above the ceiling": ({"timeout": 300.1}, 422, "over_ceiling", "timeout"),
    "malformed memory": ({"mem_limit": "lots"}, 422, "invalid_field", "mem_limit"),
    "negative memory": ({"mem_limit": "-5m"}, 422, "invalid_field", "mem_limit"),
    "a limit this engine cannot enforce": ({"mem_limit": "64m"}, 422, "unsupported", "mem_limit"),
    "output above the ceiling": ({"max_output_bytes": (16 << 20) + 1}, 422, "over_ceiling", "max_output_bytes"),
    "an unknown field": ({"colour": "red"}, 422, "invalid_field", "colour"),
    "a wrong type": ({"args": "abc"}, 422, "invalid_field", "args"),
    "environment values that are no text": ({"environment": {"A": 1}}, 422, "invalid_field", "environment.A"),
    "NUL in an argument": ({"args": ["a\0"]}, 422, "invalid_field", "args"),
    "broken base64": ({"files": {"a": {"base64": "!"}}}, 422, "invalid_field", "files.a.base64"),
    "a file that is a number": ({"files": {"a": 5}}, 422, "invalid_field", "files.a"),
    "a climbing artifact": ({"artifacts": ["../*"]}, 400, "invalid_file_name", "artifacts"),
}


ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt field": ({"tiemout": 3}, "tiemout: there is no such field here; leave it out, or look at /docs"),
    "base64 that is text": ({"files": {"a": {"base64": "hé"}}}, "of a file that is text, write just the text"),
    "a reserved variable": ({"environment": {"PYTHONPATH": "x"}}, "'PYTHONPATH' is reserved; give it another name"),
    "a language named twice": ({"image": "python", "language": "python"}, "language: it is another name of 'image'"),
    "one more that is wrong": ({"tiemout": 3, "args": 1}, "and 1 more field is wrong."),
    "two more that are wrong": ({"tiemout": 3, "args": 1, "stdin": 1}, "and 2 more fields are wrong."),
    "a network": ({"allow_network": True}, "leave it out, or have the operator set HOLDFAST_ALLOW_NETWORK=true"),
    "a file that is a number": ({"files": {"a": 5}}, 'files.a: write its text, or {"base64": "…"} for bytes.'),
    "a file that is null": ({"files": {"a": None}}, 'files.a: write its text, or {"base64": "…"} for bytes.'),
    "true as a number": ({"timeout": True}, "timeout: write a number, not true or false."),
    "a language with a line break": ({"image": "a\nb"}, "'a\\nb' is not one of"),
    "a size with a line break": ({"mem_limit": "1\nx"}, "'1\\nx' is not a size"),
    "a spec without a script": ({"prebuild_spec": {}}, "prebuild_spec.setup_script: it is needed and was not sent"),
}


@pytest.mark.parametrize("name", ADVICE)
async def test_a_refusal_says_what_to_do(name: str, client: httpx.AsyncClient) -> None:
    changes, advice = ADVICE[name]
    answer = await client.post("/run", json={"code": "print(1)", **changes})
    assert advice in answer.json()["detail"]


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_value_gets_a_problem_with_field_and_reason(name: str, client: httpx.AsyncClient) -> None:
    changes, status, code, field = BAD_BODIES[name]
    answer = await client.post("/run", json={"code": "print(1)", **changes})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"].endswith((".", ")"))
    assert len(problem["detail"]) < 300
    if field is not None:
        assert problem["field"] == field
    stream = await client.post("/run/stream", json={"code": "print(1)", **changes})
    assert (stream.status_code, stream.json()["code"]) == (status, code), "a refusal is no event stream"


def numeric_fields() -> Iterator[tuple[str, str, Any]]:
    """Every field of a body that takes a number and no boolean: model, name, and what validates it."""
    waiting: list[Any] = [getattr(types, name, None) or getattr(pyquest, name) for name in sorted(bodies())]
    waiting += [types.QueryPlan, types.Workflow]
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or kind in seen:
            continue
        seen.add(kind)
        for name, field in kind.model_fields.items():
            waiting.append(field.annotation)
            kinds = {*parts_of(field.annotation)}
            if kinds & {int, float} and bool not in kinds:
                as_annotated: Any = Annotated[field.annotation, name, *field.metadata]
                yield kind.__name__, name, TypeAdapter(as_annotated)


def parts_of(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


def bodies() -> set[str]:
    """The names of the models that bodies are."""
    requests = [
        row["requestBody"]["content"]["application/json"]["schema"]
        for methods in described()["paths"].values()
        for row in methods.values()
        if "application/json" in row.get("requestBody", {}).get("content", {})
    ]
    return set(re.findall(r"schemas/(\w+)", str(requests)))


NUMBERS = [*numeric_fields()]


@pytest.mark.parametrize(("model", "name", "adapter"), NUMBERS, ids=[f"{model}.{name}" for model, name, _ in NUMBERS])
async def test_a_boolean_is_no_number_in_any_field_of_any_body(model: str, name: str, adapter: Any) -> None:
    for value in (True, False):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(value))


async def test_there_are_numeric_fields_in_bodies() -> None:
    assert {"GradeRequest", "TestCase", "SessionRequest", "PyQuestRequest", "AgentBudget"} <= {
        row[0] for row in NUMBERS
    }


async def test_nothing_is_executed_when_a_request_is_refused(client: httpx.AsyncClient, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    code = f"open({str(proof)!r}, 'w')"
    for changes in ({"timeout": 301}, {"environment": {"PATH": "x"}}, {"files": {"../x": ""}}, {"mem_limit": "64m"}):
        assert (await client.post("/run", json={"code": code, **changes})).status_code in (400, 422)
    assert not proof.exists()
    assert (await client.post("/run", json={"code": code})).status_code == 200
    assert proof.exists(), "the same code does run when it is asked for properly"


RAW_BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "half an object": (b'{"code": "x"', 400),
    "not UTF-8": (b'{"code": "\xff"}', 400),
    "a list": (b"[]", 422),
    "a number": (b"1", 422),
    "null": (b"null", 422),
    "100,000 nested lists": (b"[" * 100_000, 400),
    "nested objects in a field": (b'{"code":' + b'{"a":' * 5000, 400),
    "a lone surrogate in code": (b'{"code": "\\ud800"}', 422),
    "a lone surrogate in stdin": (b'{"code": "1", "stdin": "\\udfff"}', 422),
    "a lone surrogate in a file name": (b'{"code": "1", "files": {"\\ud800": ""}}', 422),
    "a lone surrogate in the environment": (b'{"code": "1", "environment": {"A": "\\ud800"}}', 422),
    "an endless integer": (b'{"code": "1", "processes": ' + b"9" * 5000 + b"}", 422),
    "a huge integer": (b'{"code": "1", "processes": ' + b"9" * 400 + b"}", 422),
    "NaN": (b'{"code": "1", "timeout": NaN}', 422),
    "infinity": (b'{"code": "1", "timeout": 1e999}', 422),
}


@pytest.mark.parametrize("name", RAW_BODIES)
async def test_a_body_that_is_not_right_is_never_our_failure(name: str, client: httpx.AsyncClient) -> None:
    body, status = RAW_BODIES[name]
    answer = await client.post("/run", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert len(answer.json()["detail"]) < 300


async def test_with_duplicate_keys_the_last_one_counts(client: httpx.AsyncClient) -> None:
    body = b'{"code": "print(1)", "code": "print(2)"}'
    answer = await client.post("/run", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["stdout"] == "2\n"


async def test_a_validation_problem_never_repeats_what_was_sent(client: httpx.AsyncClient) -> None:
    secret = "hunter2-hunter2-hunter2-hunter2-hunter2-hunter2"
    for body in ({"timeout": secret}, {"environment": {"A": [secret]}}, {"args": [{"x": secret}]}, {"stdin": [secret]}):
        answer = await client.post("/run", json={"code": "1", **body})
        assert answer.status_code == 422
        assert secret not in answer.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_is_not_declared_as_json_gets_415(client: httpx.AsyncClient, content_type: str) -> None:
    answer = await client.post("/run", content=b'{"code": "1"}', headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "not_json")


async def test_a_declared_body_above_the_limit_is_refused_without_reading_it(serving: Any) -> None:
    client, _ = await serving(max_body_bytes=1000)
    answer = await client.post("/run", json={"code": "#" * 1000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_chunked_body_above_the_limit_is_refused_before_it_is_read_to_the_end(serving: Any) -> None:
    client, _ = await serving(max_body_bytes=1000)
    sent = 0

    async def chunks() -> Any:
        nonlocal sent
        while sent < 1_000_000:
            sent += 100
            yield b" " * 100

    answer = await client.post("/run", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert sent < 10_000


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    for method, path, status, code in (
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/run", 405, "method_not_allowed"),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_files_that_do_not_fit_on_the_scratch_disk_are_refused(serving: Any) -> None:
    client, _ = await serving(default_disk="1m")
    content = base64.b64encode(b"x" * (2 << 20)).decode()
    answer = await client.post("/run", json={"code": "1", "files": {"a": {"base64": content}}})
    assert (answer.status_code, answer.json()["field"]) == (422, "disk_limit")


async def test_rejections_are_counted_by_code(client: httpx.AsyncClient, app: App) -> None:
    await client.post("/run", json={"code": "1", "timeout": 301})
    assert 'holdfast_rejected_total{code="over_ceiling"} 1.0' in app.metrics.exposition().decode()


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure_of_ours(app: App) -> None:
    with_body = [
        (method, path)
        for path, operations in described()["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    assert ("post", "/sessions") in with_body
    for method, path in with_body:
        assert await status_of_who_leaves(app, method.upper(), re.sub(r"{\w+}", "x", path)) < 500, path
    assert 'code="internal"' not in app.metrics.exposition().decode()


async def status_of_who_leaves(app: App, method: str, path: str) -> int:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope: Scope = {
        **{"type": "http", "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8000)},
        **{"method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers},
    }
    said = iter([{"type": "http.request", "body": b'{"co', "more_body": True}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(said, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await create_api(app)(scope, receive, send)
    return int(sent[0]["status"])
