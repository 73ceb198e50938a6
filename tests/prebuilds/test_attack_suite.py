"""The attack suite inside of builds, and inside of runs with a layer: both are cells like any other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.engines import NEW_LAYER, Sandbox, SandboxSpec
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack

pytestmark = pytest.mark.anyio


class Inside:
    """An engine whose sandboxes all have a layer."""

    def __init__(self, engine: LocalEngine, layer: str) -> None:
        self._engine = engine
        self._layer = layer

    async def create(self, spec: SandboxSpec) -> Sandbox:
        return await self._engine.create(replace(spec, layer=self._layer))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@pytest.fixture(scope="module", params=[NEW_LAYER, "finished"], ids=["building", "running"])
async def inside(
    request: pytest.FixtureRequest, usual: LocalConfig, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Inside]:
    layers: Path = tmp_path_factory.mktemp("layers")
    (layers / "finished").mkdir()
    async with LocalEngine.open(replace(usual, layers=layers, state_dir=layers.parent)) as engine:
        yield Inside(engine, request.param)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.aim}-{attack.name}")
async def test_an_attack_from_a_build_or_a_prebuilt_environment_is_contained(attack: Attack, inside: Any) -> None:
    outcome = (await run_attack(attack, inside)).outcome
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    assert outcome.result is Result.CONTAINED, outcome.reason
