"""Everything a program can be in on one host: a run, a session, the build of a prebuilt environment, a run in one.

An attack must be contained in each of them. `open_place` gives an engine whose every sandbox is there.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from holdfast.engines import NEW_LAYER, Engine, Sandbox, SandboxSpec
from holdfast.settings import Settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks import Attack, Outcome, Result, lie
from holdfast.testing.sessioned import SessionedEngine
from holdfast.types import Capabilities

DIFFERENT_IN_A_SESSION: Mapping[str, str] = {
    "holds_descriptors_besides_the_standard_ones": "the interpreter talks with the server over two of its own",
    "forges_a_verdict_on_every_descriptor": "an interpreter that makes no sense is ended, whatever the code exits with",
    "forges_a_verdict_as_frames": "an interpreter that makes no sense is ended, whatever the code exits with",
    "forges_a_verdict_and_kills_itself": "an interpreter that makes no sense is ended, whatever the code does next",
    "leaves_no_memory_for_its_verdict": "an interpreter needs more memory than this attack is given",
}
"""What a session does otherwise than a run, and why that is no escape unless a verdict was forged."""

_FORGED = f"exit_code={lie.FORGED_CODE}"
_LAYER = "finished"


class LayeredEngine:
    """An `Engine` whose sandboxes all have a layer: one of its own to build, or a finished one."""

    def __init__(self, engine: Engine, layer: str) -> None:
        self._engine = engine
        self._layer = layer

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        return self._engine.stock_spec(replace(spec, layer=self._layer))

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox with the layer. Raises UnsupportedError, EngineError."""
        return await self._engine.create(replace(spec, layer=self._layer))

    async def forget(self, layer: str) -> None:
        await self._engine.forget(layer)

    async def aclose(self) -> None:
        await self._engine.aclose()


@asynccontextmanager
async def _run(settings: Settings) -> AsyncIterator[Engine]:
    # Only `app` assembles the product; it is imported here so that the rest of `testing` does without it.
    from holdfast.app import open_engine

    async with open_engine(settings, Metrics()) as engine:
        yield engine


@asynccontextmanager
async def _session(settings: Settings) -> AsyncIterator[Engine]:
    async with _run(settings) as engine:
        yield SessionedEngine(engine)


@asynccontextmanager
async def _layered(settings: Settings, layer: str) -> AsyncIterator[Engine]:
    with _own_state() as state_dir:
        # What is installed stays where it is.
        where = {"guest_env": settings.guest_environment, "languages_dir": settings.toolchains}
        async with _run(settings.model_copy(update={"state_dir": state_dir, **where})) as engine:
            yield LayeredEngine(engine, layer)
            if layer == _LAYER:
                await engine.forget(layer)


@contextmanager
def _own_state() -> Iterator[Path]:
    """A state directory with one finished layer, in which nothing is."""
    with tempfile.TemporaryDirectory(prefix=f"holdfast-doctor-{os.getpid()}-") as folder:
        (Path(folder) / "prebuilds" / "layers" / _LAYER).mkdir(parents=True)
        yield Path(folder)


def _building(settings: Settings) -> AbstractAsyncContextManager[Engine]:
    return _layered(settings, NEW_LAYER)


def _prebuilt(settings: Settings) -> AbstractAsyncContextManager[Engine]:
    return _layered(settings, _LAYER)


PLACES: Mapping[str, Callable[[Settings], AbstractAsyncContextManager[Engine]]] = {
    "run": _run,
    "session": _session,
    "build": _building,
    "prebuilt": _prebuilt,
}


def open_place(place: str, settings: Settings) -> AbstractAsyncContextManager[Engine]:
    """An engine whose every program is in that place. Entering raises HostError where this host has none."""
    return PLACES[place](settings)


def judged(attack: Attack, place: str, outcome: Outcome) -> Outcome:
    """The outcome of an attack in that place, with what is known to be different there."""
    different = DIFFERENT_IN_A_SESSION.get(attack.name) if place == "session" else None
    if different is None or outcome.result is not Result.ESCAPED or _FORGED in outcome.reason:
        return outcome
    return Outcome(Result.CONTAINED, f"as it should be in a session: {different}")
