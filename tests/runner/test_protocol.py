"""Which requests the stdin programs take, what they say of others, and which answers of programs they believe."""

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.guest.data.checked import checked
from holdfast.guest.data.protocol import MAX_REQUEST_BYTES, Refusal, RunnerRequest, parse, response

CODE = {"sql": "sql", "python": "python_code"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "t.csv").write_text("a\n1\n")
    return folder


def asked(kind: str, **changes: Any) -> bytes:
    body = {CODE[kind]: "1", "files": [{"name": "t.csv", "path": "/data/t.csv"}]} | changes
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def refusal(text: bytes, kind: str, root: Path) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        parse(text, kind, str(root))
    return caught.value.error


def test_defaults_are_those_of_the_seed(root: Path) -> None:
    real = str((root / "t.csv").resolve())
    assert parse(asked("sql"), "sql", str(root)) == RunnerRequest("sql", "1", {"t": real}, 10, 200, 65_536)


@pytest.mark.parametrize("kind", ["sql", "python"])
@pytest.mark.parametrize(
    "changes",
    [
        {"query_type": None, "dataset_id": 7, "unknown": 1},
        {"sql": None, "python_code": None},
        {"timeout_seconds": None, "max_rows": None, "max_output_bytes": None},
        {"timeout_seconds": 60, "max_rows": 1000, "max_output_bytes": 1_000_000},
        {"timeout_seconds": 1, "max_rows": 1, "max_output_bytes": 1024},
    ],
)
def test_requests_that_are_taken(root: Path, kind: str, changes: dict[str, Any]) -> None:
    ours = {**changes, CODE[kind]: "select 1"}
    assert parse(asked(kind, **ours), kind, str(root)).code == "select 1"


BAD_SECONDS: tuple[Any, ...] = (0, 61, 1.5, "5", True, -1, [], 10**30)


@pytest.mark.parametrize("kind", ["sql", "python"])
@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"query_type": "plan"}, "query_type must be"),
        ({"query_type": 5}, "query_type must be"),
        ({"code": ...}, "must be a non-empty string"),
        ({"code": None}, "must be a non-empty string"),
        ({"code": " \n"}, "must be a non-empty string"),
        ({"code": ["select"]}, "must be a non-empty string"),
        ({"files": ...}, "at least one file"),
        ({"files": []}, "at least one file"),
        ({"files": {"t": "/data/t.csv"}}, "at least one file"),
        ({"files": ["/data/t.csv"]}, "'name' and a 'path'"),
        ({"files": [{"name": "t.csv"}]}, "'name' and a 'path'"),
        ({"files": [{"name": "t.csv", "path": "t.csv"}]}, "must be absolute"),
        ({"files": [{"name": "t.csv", "path": "/data/../t.csv"}]}, "under /data"),
        ({"files": [{"name": "t.csv", "path": "/etc/passwd"}]}, "under /data"),
        ({"files": [{"name": "t.csv", "path": "/data/link.csv"}]}, "under /data"),
        ({"files": [{"name": "t.csv", "path": "/data/none.csv"}]}, "File not found"),
        ({"files": [{"name": "t.csv", "path": "/data/\x00"}]}, "File not found"),
        ({"files": [{"name": "t.csv", "path": "/data/"}]}, "not a regular file"),
        ({"files": [{"name": "bad name.csv", "path": "/data/t.csv"}]}, "Invalid table name"),
        ({"files": [{"name": "1.csv", "path": "/data/t.csv"}]}, "Invalid table name"),
        ({"files": [{"name": 't";drop.csv', "path": "/data/t.csv"}]}, "Invalid table name"),
        ({"files": [{"name": "", "path": "/data/t.csv"}]}, "Invalid table name"),
        ({"files": [{"name": "x/t.csv", "path": "/data/t.csv"}] * 2}, "Duplicate table name"),
        *(({"timeout_seconds": value}, "timeout_seconds must be an integer between 1 and 60") for value in BAD_SECONDS),
        *(({"max_rows": value}, "max_rows must be an integer between 1 and 1000") for value in (0, 1001, False, 2.0)),
        *(
            ({"max_output_bytes": value}, "max_output_bytes must be an integer between 1024 and 1000000")
            for value in (1023, 1_000_001, "1k")
        ),
    ],
)
def test_a_bad_field_is_a_validation_error_that_names_it(
    root: Path, kind: str, changes: dict[str, Any], fragment: str
) -> None:
    (root / "link.csv").symlink_to("/etc/passwd")
    ours = {CODE[kind] if name == "code" else name: value for name, value in changes.items()}
    error = refusal(asked(kind, **ours), kind, root)
    assert error["type"] == "VALIDATION_ERROR"
    assert fragment in error["message"]


@pytest.mark.parametrize(
    ("text", "of_sql", "of_python"),
    [
        (b"", "INVALID_INPUT", "VALIDATION_ERROR"),
        (b" \n", "INVALID_INPUT", "VALIDATION_ERROR"),
        (b"x" * (MAX_REQUEST_BYTES + 1), "INVALID_INPUT", "VALIDATION_ERROR"),
        (b"{", "INVALID_JSON", "VALIDATION_ERROR"),
        (b"\xff\xfe\xfd", "INVALID_JSON", "VALIDATION_ERROR"),
        (b"[" * 200_000, "INVALID_JSON", "VALIDATION_ERROR"),
        (b'{"max_rows": ' + b"1" * 10_000 + b"}", "INVALID_JSON", "VALIDATION_ERROR"),
        (b"[1]", "RUNNER_INTERNAL_ERROR", "RUNNER_INTERNAL_ERROR"),
        (b"null", "RUNNER_INTERNAL_ERROR", "RUNNER_INTERNAL_ERROR"),
    ],
    ids=["nothing", "blank", "too large", "cut", "no text", "deep", "digits", "list", "null"],
)
def test_what_is_no_request_has_the_type_that_each_program_always_gave_it(
    root: Path, text: bytes, of_sql: str, of_python: str
) -> None:
    assert refusal(text, "sql", root)["type"] == of_sql
    assert refusal(text, "python", root)["type"] == of_python


def test_fields_are_looked_at_in_their_order(root: Path) -> None:
    """The code, the files, the time, the rows, the bytes."""
    bad: dict[str, Any] = {"sql": "", "files": [], "timeout_seconds": 0, "max_rows": 0, "max_output_bytes": 0}
    good = {"sql": "1", "files": ..., "timeout_seconds": 1, "max_rows": 1}
    named: list[str] = []
    for name, value in good.items():
        named.append(refusal(asked("sql", **bad), "sql", root)["message"].split()[0])
        bad[name] = [{"name": "t.csv", "path": "/data/t.csv"}] if name == "files" else value
    assert [*named, refusal(asked("sql", **bad), "sql", root)["message"].split()[0]] == list(bad)


def test_a_response_is_one_line_whatever_is_in_it() -> None:
    line = response({"columns": ["a"], "rows": [["\u2028\n\x85\ud800"]], "row_count": 1, "total_rows": 1})
    assert len(line.splitlines()) == 1
    assert json.loads(line)["rows"] == [["\u2028\n\x85\ud800"]]


GOOD: dict[str, Any] = {
    "status": "success",
    "columns": ["a"],
    "column_types": ["BIGINT"],
    "rows": [[1]],
    "row_count": 1,
    "total_rows": 3,
    "truncated": True,
    "exec_ms": 1.5,
    "error": None,
    "notes": [],
    "figures": [],
}
ERROR = {"type": "SQL_EXECUTION_ERROR", "message": "no", "line": 1, "hint": ""}


@pytest.mark.parametrize("answer", [GOOD, {"status": "error", "exec_ms": 0, "error": ERROR}])
def test_an_answer_that_is_one_is_believed(answer: dict[str, Any]) -> None:
    found = checked(json.dumps(answer).encode(), kind="sql", max_rows=1)
    assert found.items() >= answer.items()


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": [[1, 2]]},
        {"rows": [[]]},
        {"rows": [1]},
        {"rows": {}},
        {"rows": [[1], [2]], "row_count": 2},
        {"row_count": 2},
        {"row_count": True},
        {"total_rows": 0},
        {"total_rows": 2**63},
        {"total_rows": "3"},
        {"truncated": False},
        {"truncated": 1},
        {"columns": [1]},
        {"columns": "a"},
        {"column_types": []},
        {"exec_ms": -1},
        {"exec_ms": "1"},
        {"exec_ms": None},
        {"status": "error"},
        {"status": "timeout"},
        {"status": None},
        {"error": ERROR},
        {"error": "no", "status": "error"},
        {"error": {**ERROR, "type": "RUNNER_TIMEOUT"}, "status": "error"},
        {"error": {**ERROR, "type": "PYTHON_EXECUTION_ERROR"}, "status": "error"},
        {"error": {**ERROR, "line": "1"}, "status": "error"},
        {"error": {**ERROR, "more": 1}, "status": "error"},
        {"notes": [1]},
        {"notes": ["x"] * 1000},
        {"figures": {"a": 1}},
        {"isolation": "none"},
    ],
)
def test_an_answer_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        checked(json.dumps(GOOD | changes).encode(), kind="sql", max_rows=1)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        json.dumps(GOOD).replace("[[1]]", "[[NaN]]").encode(),
        json.dumps(GOOD).replace("[[1]]", "[[Infinity]]").encode(),
        json.dumps(GOOD).replace("[[1]]", "[[1e999]]").encode(),
        json.dumps(GOOD).replace("[[1]]", f"[[{'9' * 10_000}]]").encode(),
        json.dumps(GOOD).replace("[[1]]", f"[[{'[' * 100_000}{']' * 100_000}]]").encode(),
        json.dumps(GOOD).replace("1.5", "NaN").encode(),
    ],
    ids=["nothing", "list", "null", "no text", "nan", "infinity", "beyond", "digits", "deep", "time"],
)
def test_an_answer_that_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        checked(text, kind="sql", max_rows=1)
