"""SQL and Python over data in cells: what comes back, and what cannot be made to come back."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.app import App
from holdfast.data.query import DataAnswer, DataQuery, data_limits, execute
from holdfast.types import Status
from tests.conftest import local_app

pytestmark = pytest.mark.anyio

TICKETS = b"id,priority,csat,opened\n1,High,4,2024-01-02\n2,Low,,2024-01-03\n3,High,5,2024-02-01\n"


@pytest.fixture(scope="module")
async def app(anyio_backend: str) -> AsyncIterator[App]:
    async with local_app(pool_size=2) as opened:
        yield opened


async def ask(app: App, kind: Any, code: str, seconds: float = 20, **fields: Any) -> DataAnswer:
    limits = data_limits(app.executor.bounds, app.executor.engine.capabilities, seconds)
    files = {"tickets": ("tickets.csv", TICKETS)}
    return await execute(app.executor, DataQuery(kind, code, limits, files=files, **fields))


async def rows(app: App, kind: Any, code: str, **fields: Any) -> Any:
    answer = await ask(app, kind, code, **fields)
    assert answer.table is not None, answer.error
    return answer.table.rows


async def test_a_query_is_answered_with_types_and_counts(app: App) -> None:
    answer = await ask(app, "sql", "SELECT priority, count(*) AS n FROM tickets GROUP BY ALL ORDER BY n DESC")
    assert answer.table is not None
    assert answer.table.model_dump() == {
        "columns": ["priority", "n"],
        "column_types": ["VARCHAR", "BIGINT"],
        "rows": [["High", 2], ["Low", 1]],
        "row_count": 2,
        "total_rows": 2,
        "truncated": False,
    }
    assert answer.run.isolation.engine == "local"


async def test_parameters_are_values_and_never_text(app: App) -> None:
    hostile = "High' OR 1=1 --"
    found = await rows(app, "sql", "SELECT ?, count(*) FROM tickets WHERE priority = ?", parameters=[hostile, hostile])
    assert found == [[hostile, 0]]


async def test_rows_beyond_the_limit_are_counted_and_not_returned(app: App) -> None:
    for code, total in (("FROM range(1000000)", 1_000_000), ("FROM range(300)", 300), ("FROM range(7)", 7)):
        answer = await ask(app, "sql", code, max_rows=7)
        assert answer.table is not None
        assert (answer.table.row_count, answer.table.total_rows, answer.table.truncated) == (7, total, total > 7)


async def test_the_bytes_of_a_result_are_bounded_and_it_says_so(app: App) -> None:
    for kind, code in (
        ("sql", "SELECT range AS n, repeat('ä', 50) AS s FROM range(500)"),
        ("python", "pd.DataFrame({'n': range(500), 's': 'ä' * 50})"),
    ):
        answer = await ask(app, kind, code, max_rows=1000, max_output_bytes=4096)
        assert answer.table is not None and answer.table.truncated
        assert answer.table.total_rows == 500 > answer.table.row_count > 5
        assert len(json.dumps({"columns": answer.table.columns, "rows": answer.table.rows})) <= 4096


async def test_a_first_row_that_does_not_fit_is_told(app: App) -> None:
    for kind, code in (("sql", "SELECT repeat('x', 100000) AS s"), ("python", "'x' * 100000")):
        answer = await ask(app, kind, code)
        assert answer.table is not None and (answer.table.row_count, answer.table.total_rows) == (0, 1)
        assert "max_output_bytes" in answer.notes[0]


async def test_an_error_of_sql_has_its_line(app: App) -> None:
    answer = await ask(app, "sql", "SELECT id\nFROM tickets\nWHER id = 1")
    assert answer.status is Status.FAILED
    assert answer.error is not None and (answer.error.type, answer.error.line) == ("SQL_EXECUTION_ERROR", 3)


@pytest.mark.parametrize(
    "code",
    [
        "FROM '/etc/passwd'",
        "FROM read_text('/etc/passwd')",
        "FROM read_csv('data/tickets.csv')",
        "FROM glob('/*')",
        "COPY tickets TO 'out.csv'",
        "ATTACH '/tmp/x.db' AS x",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "PRAGMA enable_external_access=true",
        "SELECT getenv('HOME')",
        "FROM sys",
        "FROM query('FROM read_' || 'text(''/etc/passwd'')')",
    ],
)
async def test_duckdb_reaches_nothing_but_the_data(app: App, code: str) -> None:
    answer = await ask(app, "sql", code)
    assert answer.table is None and answer.error is not None
    assert answer.error.type == "SQL_EXECUTION_ERROR"


async def test_what_duckdb_does_not_bound_the_cell_does(app: App) -> None:
    slept = await ask(app, "sql", "SELECT sleep_ms(60000)", seconds=1)
    assert slept.status is Status.TIMED_OUT
    assert slept.error is not None
    assert (slept.error.type, slept.error.message) == ("RUNNER_TIMEOUT", "Query exceeded timeout of 1 seconds")
    grown = await ask(app, "sql", "SELECT length(repeat('x', 3000000000) || 'x')")
    assert grown.error is not None and grown.error.type == "SQL_EXECUTION_ERROR"


async def test_a_query_that_needs_too_much_memory_is_told_so(app: App) -> None:
    answer = await ask(app, "sql", "SELECT list(hash(range)) FROM range(100000000)", seconds=60)
    assert answer.error is not None and "memory" in answer.error.message.lower()


PYTHON: list[tuple[str, list[list[Any]]]] = [
    ("tickets.groupby('priority').size().reset_index(name='n')", [["High", 2], ["Low", 1]]),
    ("tickets.groupby('priority').size()", [["High", 2], ["Low", 1]]),
    ("result_df = tickets[['id', 'csat']]", [[1, 4.0], [2, None], [3, 5.0]]),
    ("result_rows = [[1, 'a'], [2, 'b']]", [[1, "a"], [2, "b"]]),
    ("result_rows = [{'a': 1}, {'b': 2}]", [[1, None], [None, 2]]),
    ("result = {'a': 1, 'b': float('nan')}", [["a", 1], ["b", None]]),
    ("result = [[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
    ("result = ['a', 'b']", [["a"], ["b"]]),
    ("tickets.id.sum()", [[6]]),
    ("result = np.float64(0.5)\nresult_df = None", [[0.5]]),
    ("len(dfs['tickets']), list(dfs)", [[[3, ["tickets"]]]]),
    (
        "import math\nclass A:\n    x = math.floor(2.5)\ndef f(n):\n    return [n * A.x for _ in range(2)]\nf(3)",
        [[6], [6]],
    ),
    ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    result = str(e)", [["division by zero"]]),
    ("if __name__ == '__main__':\n    result = 1", [[1]]),
    ("tickets.dtypes.astype(str).tolist()[0]", [["int64"]]),
    ("result = 2**70", [["1180591620717411303424"]]),
    (
        "result_df = tickets\nresult = 5",
        [[1, "High", 4.0, "2024-01-02"], [2, "Low", None, "2024-01-03"], [3, "High", 5.0, "2024-02-01"]],
    ),
    ("globals()['tickets'].shape", [[[3, 4]]]),
    ("result = 1\nraise SystemExit(0)", [[1]]),
]


@pytest.mark.parametrize(("code", "expected"), PYTHON, ids=[code[:50] for code, _ in PYTHON])
async def test_python_over_data(app: App, code: str, expected: list[list[Any]]) -> None:
    assert await rows(app, "python", code) == expected


@pytest.mark.parametrize(
    ("code", "fragment", "line"),
    [
        ("x = 1\n\ndef f():\n    return 1 / 0\nf()", "ZeroDivisionError: division by zero", 4),
        ("x = 1", "produced no tabular/scalar result", None),
        ("result_df = [1]", "result_df must be a DataFrame", None),
        ("result_rows = 5", "result_rows must be a list of rows", None),
        ("result_rows = [[1, 2], [3]]", "Row 2 of the result", None),
        ("nope", "NameError: name 'nope' is not defined", 1),
        ("raise SystemExit(3)", "SystemExit: 3", 1),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E: it could not be told", 3),
    ],
)
async def test_an_error_of_python_has_its_kind_and_its_line(
    app: App, code: str, fragment: str, line: int | None
) -> None:
    answer = await ask(app, "python", code)
    assert answer.status is Status.FAILED and answer.error is not None
    assert (answer.error.type, answer.error.line) == ("PYTHON_EXECUTION_ERROR", line)
    assert fragment in answer.error.message


async def test_a_traceback_shows_the_lines_of_the_code_and_nothing_of_ours(app: App) -> None:
    answer = await ask(app, "python", "def f():\n    raise KeyError('x')\nf()")
    assert "line 2, in f" in answer.run.stderr and "raise KeyError('x')" in answer.run.stderr
    assert "holdfast" not in answer.run.stderr


@pytest.mark.parametrize(
    ("code", "message", "line"),
    [
        ("x = 1\nimport os", "Import not allowed: os", 2),
        ("from sys import path", "Import not allowed: sys", 1),
        ("open('x')", "Call not allowed: open", 1),
        ("x = eval('1')", "Call not allowed: eval", 1),
        ("1 +", "Syntax error", 1),
        ("(" * 5000, "Syntax error", None),
        ("x = '\0'", "Syntax error", None),
    ],
)
async def test_the_lint_says_what_to_do_instead(app: App, code: str, message: str, line: int | None) -> None:
    answer = await ask(app, "python", code)
    assert answer.error is not None and answer.error.type == "PYTHON_POLICY_VIOLATION"
    assert message in answer.error.message
    assert line is None or answer.error.line == line
    assert answer.error.hint or "Syntax" in message


async def test_what_was_printed_is_kept_also_when_time_ran_out(app: App) -> None:
    code = (
        "print('before', flush=True)\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"
    )
    answer = await ask(app, "python", code, seconds=5)
    assert answer.status is Status.TIMED_OUT
    assert answer.run.stdout == "before\n"
    assert answer.error is not None
    assert answer.error.message == "Python execution exceeded timeout of 5 seconds"


async def test_figures_come_back_as_artifacts(app: App) -> None:
    answer = await ask(
        app, "python", "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()\ntickets.id.sum()"
    )
    assert answer.table is not None and answer.table.rows == [[6]]
    assert answer.figures == ("figure-1.png",)
    (figure,) = answer.run.artifacts
    assert figure.content().startswith(b"\x89PNG")
    alone = await ask(app, "python", "import matplotlib.pyplot as plt\nplt.bar([1], [2])")
    assert alone.status is Status.SUCCEEDED and alone.figures == ("figure-1.png",)


FORGED = """
import posix
def leave(text):
    fd = posix.open(".holdfast/answer.json", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o644)
    while text:
        text = text[posix.write(fd, text):]
    posix._exit(0)
"""


@pytest.mark.parametrize(
    "text",
    [
        "b''",
        "b'{}'",
        "b'[' * 60000",
        "b'x' * (10 << 20)",
        'b\'{"status": "success", "exec_ms": 1, "error": null, "columns": ["a"], "rows": [[NaN]]}\'',
        'b\'{"status": "success", "exec_ms": 1e999, "error": null}\'',
        'b\'{"status": "success", "exec_ms": 1, "error": null, "rows": [[1]], "row_count": 1, "total_rows": 1}\'',
    ],
)
async def test_a_forged_answer_that_is_none_is_the_programs_failure(app: App, text: str) -> None:
    answer = await ask(app, "python", f"{FORGED}\nleave({text})")
    assert answer.table is None and answer.error is not None
    assert answer.status is Status.FAILED and answer.error.type == "PYTHON_EXECUTION_ERROR"


@pytest.mark.parametrize("place", ["/etc/passwd", "/dev/zero", "main.py"])
async def test_an_answer_that_is_a_link_is_none(app: App, place: str) -> None:
    code = f"import posix\nposix.symlink({place!r}, '.holdfast/answer.json')\nposix._exit(0)"
    answer = await ask(app, "python", code)
    assert answer.table is None and answer.status is Status.FAILED


async def test_a_program_that_ends_without_an_answer_is_told_so(app: App) -> None:
    for code in (
        "import posix\nposix._exit(0)",
        "import posix\nposix._exit(7)",
        "import posix\nposix.kill(posix.getpid(), 11)",
    ):
        answer = await ask(app, "python", code)
        assert answer.table is None and answer.error is not None
        assert answer.status in (Status.FAILED, Status.SIGNALED)


async def test_a_program_that_needs_too_much_memory_is_told_so(app: App) -> None:
    answer = await ask(app, "python", "x = np.ones(10**9)\nx.sum()")
    assert answer.error is not None and "memory" in answer.error.message.lower()


async def test_a_chart_of_altair_comes_back_as_vega_lite(app: App) -> None:
    code = "import altair as alt\nalt.Chart(tickets).mark_bar().encode(x='priority', y='count()')"
    answer = await ask(app, "python", code, seconds=40)
    assert answer.figures == ("figure-1.vl.json",), answer.error
    (figure,) = answer.run.artifacts
    chart = json.loads(figure.content())
    assert chart["mark"]["type"] == "bar" and "vega-lite" in chart["$schema"]
