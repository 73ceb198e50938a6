"""The same network on this machine as it is, for root and for an ordinary user; nothing leaves the machine."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from holdfast.cli.examining import examine
from holdfast.engines import SandboxSpec
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.local import network as policy
from holdfast.engines.local.engine import STOCK_LIMITS
from holdfast.engines.local.gateway import Gateways
from holdfast.errors import HostError, UnsupportedError
from holdfast.settings import load_settings
from holdfast.testing.attacks import Attack, Result, run_attack
from holdfast.testing.attacks.network import WITH_A_NETWORK
from holdfast.types import Network
from tests.conftest import lacks

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(config: LocalConfig) -> AsyncIterator[LocalEngine]:
    try:
        policy.tools()
    except HostError as error:
        lacks("network", str(error))
    async with LocalEngine.open(replace(config, allow_network=True)) as opened:
        yield opened


@pytest.mark.parametrize("attack", WITH_A_NETWORK, ids=lambda attack: attack.name)
async def test_an_attack_from_a_program_with_a_network_is_contained(engine: LocalEngine, attack: Attack) -> None:
    outcome = (await run_attack(attack, engine)).outcome
    assert outcome.result is Result.CONTAINED, outcome.reason


async def test_a_result_says_which_network_the_program_had(engine: LocalEngine) -> None:
    for wanted in (Network.FULL, Network.NONE):
        sandbox = await engine.create(SandboxSpec("python", STOCK_LIMITS, wanted))
        await sandbox.aclose()
        assert sandbox.isolation.network is wanted
    assert engine.capabilities.networks == {Network.FULL, Network.NONE}


@pytest.mark.parametrize(("tool", "reason"), [("slirp4netns", "slirp4netns did not start"), ("nft", "nft refused")])
async def test_without_a_way_out_or_without_rules_the_engine_refuses_to_start(
    engine: LocalEngine, config: LocalConfig, tool: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {**policy.tools(), tool: "/bin/false"}
    monkeypatch.setattr(policy, "tools", lambda: found)
    with pytest.raises(HostError, match=reason):
        async with LocalEngine.open(replace(config, allow_network=True)):
            pass


async def test_a_network_that_did_not_come_about_is_promised_by_nobody(
    engine: LocalEngine, config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def joins_nothing(*_: object) -> bool:
        return False

    monkeypatch.setattr(Gateways, "join", joins_nothing)
    async with LocalEngine.open(replace(config, allow_network=True)) as unconnected:
        assert unconnected.capabilities.networks == {Network.NONE}
        with pytest.raises(UnsupportedError):
            await unconnected.create(SandboxSpec("python", STOCK_LIMITS, Network.FULL))


async def test_a_network_that_cannot_be_given_is_missing_for_doctor_too(
    config: LocalConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(policy, "_PLACES", "/nowhere")
    enabled = load_settings({"allow_network": True, "accept_rlimits": config.accept_rlimits})
    assert await examine(enabled, attack=False, as_json=False) == 1
    said = capsys.readouterr().out
    assert "sudo apt install slirp4netns nftables" in said
    assert "network missing; the server refuses to start" in said
