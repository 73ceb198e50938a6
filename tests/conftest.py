"""Engines for the suites that run over all of them, and the promise that nothing of it all remains."""

import os
import signal
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn

import anyio
import pytest

from holdfast.app import App, local_config, open_app
from holdfast.engines import Engine
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.errors import StartupError
from holdfast.languages import LANGUAGES
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks.declared import DECLARED
from holdfast.testing.attacks.model import Attack
from holdfast.testing.contract import Case
from holdfast.testing.engines import open_engine
from tests.remains import Remains, Session

EXPECTED = frozenset(filter(None, os.environ.get("HOLDFAST_EXPECT", "").split(",")))
ABSENT = (ImportError, StartupError)
KIND = {
    "unisolated": "unisolated",
    "local": "local",
    "stocked": "local",
    "docker": "docker",
    "docker+runsc": "docker",
    "gvisor": "gvisor",
}
"""What `HOLDFAST_EXPECT` calls each engine: the local one comes with and without stock, Docker with two runtimes."""

signal.signal(signal.SIGINT, signal.default_int_handler)
"""What a shell starts in the background ignores Ctrl-C, and so would all that tests start there."""

LAST = "test_nothing_is_left_behind"
SLOWEST_ENGINE = "docker+runsc"
SLOW_ENGINES = frozenset({"docker", SLOWEST_ENGINE, "gvisor"})
ATTACK_SAMPLE = int(os.environ.get("TESTS_ATTACK_SAMPLE", "1"))


def needs_language(runtimes: Mapping[str, str | None], name: str) -> None:
    """Skips where this host lacks a language, unless `HOLDFAST_EXPECT` names `languages`."""
    if runtimes[name] is not None:
        return
    lacks("languages", f"{LANGUAGES[name].title} is not installed on this host; run: {LANGUAGES[name].install}")


def absent(kind: str, error: Exception) -> NoReturn:
    """Skip, unless this machine is expected to have the engine."""
    lacks(kind, f"the engine '{kind}' is absent: {error}")


def lacks(kind: str, reason: str) -> NoReturn:
    """Skip what this machine lacks, or fail when `HOLDFAST_EXPECT` says that it has it."""
    if kind in EXPECTED:
        pytest.fail(f"{reason} (and HOLDFAST_EXPECT names {kind})")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=[*KIND])
async def engine(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Engine]:
    """Every engine in turn; one that is absent is skipped, unless `HOLDFAST_EXPECT` names it."""
    opening = open_engine(request.param)
    try:
        opened = await opening.__aenter__()
    except ABSENT as error:
        absent(KIND[request.param], error)
    try:
        yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)


@asynccontextmanager
async def local_app(**overrides: Any) -> AsyncIterator[App]:
    """The product on this host; skips where it has no local engine, unless `HOLDFAST_EXPECT` names it."""
    async with AsyncExitStack() as stack:
        try:
            app = await stack.enter_async_context(open_app(load_settings(overrides)))
        except ABSENT as error:
            absent("local", error)
        yield app


@pytest.fixture
async def config(anyio_backend: str) -> LocalConfig:
    """The operator's configuration of the local engine, without profiles, known to work here."""
    wanted = local_config(load_settings({"pool_size": 0}), Metrics())
    try:
        async with LocalEngine.open(wanted):
            return wanted
    except ABSENT as error:
        absent("local", error)


@pytest.fixture(scope="session", autouse=True)
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """This run of the tests, so that what it leaves is told apart from what others do on this host."""
    with Session.begun(tmp_path_factory.getbasetemp()) as begun:
        yield begun


@pytest.fixture(scope="session", autouse=True)
def remains(session: Session) -> Remains:
    """What was there before the first test."""
    return Remains.now(session)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The look around comes when everything else is over and every engine is closed."""
    left_out = [item for item in items if _is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted([item for item in items if item not in left_out], key=lambda item: item.name == LAST)


def _is_left_out(item: pytest.Item) -> bool:
    """On engines that take a second for each attack, `TESTS_ATTACK_SAMPLE=4` leaves every fourth and the declared.

    The same of the promises on the slowest, which is made of two that are held to all of them.
    """
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    attack, case, engine = given.get("attack"), given.get("case"), given.get("engine")
    if isinstance(attack, Attack) and engine in SLOW_ENGINES and not _proves_itself(engine, attack.name):
        return _is_beside_the_sample(attack.name)
    return isinstance(case, Case) and engine == SLOWEST_ENGINE and _is_beside_the_sample(case.name)


def _is_beside_the_sample(name: str) -> bool:
    return zlib.crc32(name.encode()) % ATTACK_SAMPLE != 0


def _proves_itself(engine: str, attack: str) -> bool:
    """Whether this attack is the probe of its own declaration."""
    found = [rows[attack] for name, rows in DECLARED.items() if name.split()[0] == engine and attack in rows]
    return any(declared.probe is None for declared in found)
