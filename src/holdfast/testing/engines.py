"""Engines by name, for tests and for `holdfast doctor`: each is opened, used and closed again."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

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
    """As a server has it: sandboxes wait in stock, and have done what cells do that wait for long."""
    from holdfast.app import open_engine, pooled
    from holdfast.settings import load_settings
    from holdfast.telemetry import Metrics

    settings, metrics = load_settings(), Metrics()
    async with (
        open_engine(settings, metrics, calm_milliseconds=0) as engine,
        pooled(engine, settings, await engine.runtimes(), metrics) as stocked,
    ):
        yield stocked


def _docker(**overrides: Any) -> Callable[[], AbstractAsyncContextManager[Engine]]:
    """Containers made on demand, on the daemon of the settings."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Engine]:
        from holdfast.app import open_engine
        from holdfast.settings import load_settings
        from holdfast.telemetry import Metrics

        settings = load_settings({"engine": "docker", "pool_size": 0, **overrides})
        async with open_engine(settings, Metrics()) as engine:
            yield engine

    return opened


@asynccontextmanager
async def _gvisor() -> AsyncIterator[Engine]:
    """As a server has it: to start gVisor for every case would be to measure its start."""
    from holdfast.app import open_engine, pooled
    from holdfast.settings import load_settings
    from holdfast.telemetry import Metrics

    settings, metrics = load_settings({"engine": "gvisor", "pool_size": 3, "warm_modules": ()}), Metrics()
    async with (
        open_engine(settings, metrics) as engine,
        pooled(engine, settings, {"python": "3"}, metrics) as stocked,
    ):
        yield stocked


OPENERS: dict[str, Callable[[], AbstractAsyncContextManager[Engine]]] = {
    "unisolated": _unisolated,
    "local": _local,
    "stocked": _stocked,
    "gvisor": _gvisor,
    "docker": _docker(),
    "docker+runsc": _docker(docker_runtime="runsc"),
}


def open_engine(name: str) -> AbstractAsyncContextManager[Engine]:
    """A ready engine. Entering raises ImportError or HostError where this host or installation has none."""
    return OPENERS[name]()
