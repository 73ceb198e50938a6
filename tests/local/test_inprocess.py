"""`Holdfast.local()`: the product without a server, in both kinds of code."""

from collections.abc import AsyncIterator, Iterator

import pytest

from holdfast import GradeResult, Holdfast, OverCeilingError, Status
from holdfast.errors import InvalidFieldError, StartupError
from holdfast.inprocess import BlockingHoldfast
from tests.conftest import absent

SLOW = "import time; print('hi', flush=True); time.sleep(60)"
TESTS = [{"type": "variable_value", "variable": "x", "expected": 5}]


@pytest.fixture
def blocking() -> Iterator[BlockingHoldfast]:
    local = Holdfast.local(pool_size=0, languages=["python"])
    try:
        holdfast = local.__enter__()
    except StartupError as error:
        absent("local", error)
    yield holdfast
    local.__exit__(None, None, None)


@pytest.fixture
async def holdfast(anyio_backend: str) -> AsyncIterator[Holdfast]:
    local = Holdfast.local(pool_size=0, languages=["python"])
    try:
        opened = await local.__aenter__()
    except StartupError as error:
        absent("local", error)
    yield opened
    await local.__aexit__(None, None, None)


@pytest.mark.anyio
async def test_programs_run_without_a_server(holdfast: Holdfast) -> None:
    result = (await holdfast.run("print(6 * 7)")).check()
    assert (result.stdout, result.isolation.engine) == ("42\n", "local")
    assert (await holdfast.run("1 / 0")).status is Status.FAILED
    graded = await holdfast.run("x = 5", tests=TESTS)
    assert isinstance(graded, GradeResult)
    assert graded.all_passed
    assert not (await holdfast.grade("x = 6", tests=TESTS)).all_passed


@pytest.mark.anyio
async def test_a_stream_is_live_and_leaving_it_ends_the_run(holdfast: Holdfast) -> None:
    async with holdfast.stream("print('hi')") as events:
        assert [event.type async for event in events] == ["started", "output", "exited"]
    assert events.result.stdout == "hi\n"
    assert [event.type async for event in holdfast.stream("1")] == ["started", "exited"]
    async with holdfast.stream(SLOW) as events:
        async for event in events:
            if event.type == "output":
                break
    assert holdfast._app.executor.admission.running == 0
    with pytest.raises(OverCeilingError):
        async with holdfast.stream("1", timeout=10_000):
            pass


def test_ordinary_code_does_the_same(blocking: BlockingHoldfast) -> None:
    assert blocking.run("print(6 * 7)").check().stdout == "42\n"
    assert blocking.grade("x = 5", tests=TESTS).all_passed
    with blocking.stream("print('hi')") as events:
        assert [event.type for event in events] == ["started", "output", "exited"]
    assert events.result.stdout == "hi\n"
    assert [event.type for event in blocking.stream("1")] == ["started", "exited"]
    with blocking.stream(SLOW) as events:
        for event in events:
            if event.type == "output":
                break
    assert blocking._holdfast._app.executor.admission.running == 0
    with pytest.raises(OverCeilingError), blocking.stream("1", timeout=10_000):
        pass


@pytest.mark.anyio
async def test_a_submission_with_tests_is_graded_and_not_streamed_here(holdfast: Holdfast) -> None:
    with pytest.raises(InvalidFieldError, match="judge it with grade"):
        holdfast.stream("x = 5", tests=TESTS)
    assert (await holdfast.grade("x = 5", tests=TESTS)).all_passed
