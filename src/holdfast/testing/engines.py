"""Engines by name, for tests and for `holdfast doctor`: each is opened, used and closed again."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from holdfast import toolchains
from holdfast.engines import Engine
from holdfast.testing.unisolated import UnisolatedEngine


@asynccontextmanager
async def _unisolated() -> AsyncIterator[Engine]:
    from holdfast.settings import load_settings

    async with aclosing(UnisolatedEngine(toolchains.folders(load_settings().toolchains))) as engine:
        yield engine


@asynccontextmanager
async def _local() -> AsyncIterator[Engine]:
    """Every sandbox made on demand, and by the interpreter alone."""
    # Only `app` assembles the product; it is imported here so that the rest of `testing` does without it.
    from holdfast.app import open_engine
    from holdfast.settings import load_settings
    from holdfast.telemetry import Metrics

    async with open_engine(load_settings({"pool_size": 0, "compiled_cells": False}), Metrics()) as engine:
        yield engine


@asynccontextmanager
async def _stocked() -> AsyncIterator[Engine]:
    """As a server has it: sandboxes wait in stock."""
    from holdfast.app import open_engine, pooled
    from holdfast.settings import load_settings
    from holdfast.telemetry import Metrics

    settings, metrics = load_settings(), Metrics()
    async with (
        open_engine(settings, metrics) as engine,
        pooled(engine, settings, await engine.runtimes(), metrics) as stocked,
    ):
        yield stocked


@asynccontextmanager
async def _sessioned() -> AsyncIterator[Engine]:
    """The local engine, with every Python program inside a session."""
    from holdfast.testing.sessioned import SessionedEngine

    async with _stocked() as engine:
        yield SessionedEngine(engine)


OPENERS: dict[str, Callable[[], AbstractAsyncContextManager[Engine]]] = {
    "unisolated": _unisolated,
    "local": _local,
    "stocked": _stocked,
    "sessioned": _sessioned,
}


def open_engine(name: str) -> AbstractAsyncContextManager[Engine]:
    """A ready engine. Entering raises ImportError or HostError where this host or installation has none."""
    return OPENERS[name]()
