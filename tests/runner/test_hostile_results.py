"""What Python code leaves behind may be made to hurt whoever reads it. It is a table or the code's own failure."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.app import App
from holdfast.data.query import DataAnswer, DataQuery, data_limits, execute
from holdfast.types import Status
from tests.conftest import local_app

pytestmark = pytest.mark.anyio

OWN = "class Own:\n    pass\n"


@pytest.fixture(scope="module")
async def app(anyio_backend: str) -> AsyncIterator[App]:
    async with local_app(pool_size=0) as opened:
        yield opened


async def ask(app: App, code: str, seconds: float = 60.0) -> DataAnswer:
    limits = data_limits(app.executor.bounds, app.executor.engine.capabilities, seconds)
    files = {"t": ("t.csv", b"n\n1\n2\n")}
    return await execute(app.executor, DataQuery("python", code, limits, files=files))


TOLD: dict[str, tuple[str, Any]] = {
    "an integer of 5,000 digits": ("10**5000", [["1" + "0" * 5000]]),
    "a list that contains itself": ("a = [1]\na.append(a)\nlen(str(a)) < 99 and [1]", [[1]]),
    "a frame of a class of its own": (
        "class F(pd.DataFrame):\n    def __repr__(self): raise KeyError(1)\nF({'a': [1]})",
        [[1]],
    ),
    "names of columns that are no texts": ("pd.DataFrame([[1, 2]], columns=[None, ('a', 3)])", [[1, 2]]),
    "a column twice": ("pd.DataFrame([[1, 2]], columns=['a', 'a'])", [[1, 2]]),
    "decimals that are no numbers": (
        "import decimal\n[decimal.Decimal('sNaN'), decimal.Decimal('-Infinity')]",
        [[None], [None]],
    ),
    "a text of half a character": ("'a\\ud800b'", [["a?b"]]),
    "complex numbers and structured arrays": (
        "[1j, np.zeros(1, dtype=[('x', 'i4'), ('y', 'f8')])[0]]",
        [["1j"], ["(0, 0.0)"]],
    ),
    "built-ins that were replaced": (
        "import builtins, json\njson.dumps = lambda *a, **k: '{}'\nbuiltins.print = None\nresult = 5",
        None,
    ),
    "a thread that goes on": (
        "import threading, time\nthreading.Thread(target=lambda: time.sleep(60)).start()\nresult = 1",
        [[1]],
    ),
    "a child that goes on": ("import posix\nif posix.fork() == 0:\n    while True: pass\nresult = 1", [[1]]),
}


@pytest.mark.parametrize("name", TOLD)
async def test_an_odd_result_is_told_as_what_it_is(app: App, name: str) -> None:
    code, rows = TOLD[name]
    answer = await ask(app, code)
    if rows is None:
        assert answer.status in (Status.SUCCEEDED, Status.FAILED)
        return
    assert answer.table is not None, answer.error
    assert [list(row) for row in answer.table.rows] == rows


FAILING = {
    "a text that cannot be told": OWN + "Own.__str__ = lambda self: 1 / 0\nOwn()",
    "a text that ends the program": OWN + "Own.__str__ = lambda self: exit(0)\nOwn()",
    "a text that is none": OWN + "Own.__str__ = lambda self: 7\nOwn()",
    "an exception that cannot be told": "class E(Exception):\n    def __str__(self): raise self\nraise E()",
    "a frame without rows or columns that says it has": (
        "class F(pd.DataFrame):\n    @property\n    def iloc(self): return []\nF({'a': [1]})"
    ),
    "a class that lies about being a list": (
        OWN + "Own.__class__ = list\nOwn.__bool__ = lambda self: True\nresult_rows = Own()"
    ),
    "a zone without time": (
        "import datetime\nclass Z(datetime.tzinfo):\n    def utcoffset(self, d): raise OSError('no')\n"
        "datetime.datetime(2020, 1, 1, tzinfo=Z())"
    ),
    "rows of other lengths": "result_rows = [[1], [1, 2]]",
    "calls without an end": "def f(): return f()\nf()",
}


@pytest.mark.parametrize("name", FAILING)
async def test_a_result_that_cannot_be_told_is_the_failure_of_the_code(app: App, name: str) -> None:
    answer = await ask(app, FAILING[name])
    assert answer.status is Status.FAILED and answer.table is None
    assert answer.error is not None and answer.error.type == "PYTHON_EXECUTION_ERROR"
    assert "exit code" not in answer.error.message


async def test_a_result_that_takes_forever_to_tell_is_out_of_time(app: App) -> None:
    code = OWN + "def forever(self):\n    while True: pass\nOwn.__str__ = forever\nOwn()"
    assert (await ask(app, code, seconds=8.0)).status is Status.TIMED_OUT
