"""`holdfast doctor --attack`: the shipped attacks, from everything a program can be in."""

import json
import platform

import pytest

from holdfast.cli import examining
from holdfast.errors import HostError
from holdfast.languages import LANGUAGES
from holdfast.settings import load_settings
from holdfast.testing.attacks import ATTACKS, Aim, Attack, BrokenAttackError, Outcome, Result, lie
from holdfast.testing.attacks.arena import Arena
from holdfast.testing.places import DIFFERENT_IN_A_SESSION, PLACES, judged, open_place
from tests.conftest import absent

pytestmark = pytest.mark.anyio

FEW = (
    "reads_a_private_file_of_the_operator",
    "reads_a_private_file_of_the_operator_in_bash",
    "kills_a_process_of_the_host",
    "forges_a_verdict_on_every_descriptor",
)


async def breaks_off(arena: Arena) -> Outcome:
    raise BrokenAttackError("it did nothing")


async def test_doctor_attacks_from_every_place_and_counts_what_broke_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [attack for attack in ATTACKS if attack.name in FEW]
    assert len(chosen) == len(FEW)
    settings = load_settings({"pool_size": 0})
    monkeypatch.setattr(examining, "ATTACKS", chosen)
    try:
        async with open_place("run", settings):
            pass
    except HostError as error:
        absent("local", error)
    assert await examining.examine(settings, attack=True, as_json=True) == 0
    everything = json.loads(capsys.readouterr().out)
    told, languages = everything["attacks"], everything["languages"]
    assert languages.keys() == LANGUAGES.keys()
    assert languages["python"] == platform.python_version()
    assert {(each["place"], each["name"]) for each in told} == {(place, name) for place in PLACES for name in FEW}
    assert {each["result"] for each in told} == {"contained"}
    monkeypatch.setattr(examining, "ATTACKS", [Attack("idles", Aim.LIE, breaks_off)])
    assert await examining.examine(settings, attack=True, as_json=False) == 1
    said = capsys.readouterr().out
    for place in PLACES:
        assert f"1 attacks in a {place}: 0 contained, 1 escaped, 0 not applicable." in said


def test_what_is_different_in_a_session_never_hides_a_forged_verdict() -> None:
    for name in DIFFERENT_IN_A_SESSION:
        attack = next(attack for attack in ATTACKS if attack.name == name)
        harmless = Outcome(Result.ESCAPED, "exit_code=1")
        forged = Outcome(Result.ESCAPED, f"exit_code={lie.FORGED_CODE}")
        assert judged(attack, "session", harmless).result is Result.CONTAINED
        assert judged(attack, "session", forged).result is Result.ESCAPED
        assert judged(attack, "run", harmless).result is Result.ESCAPED
