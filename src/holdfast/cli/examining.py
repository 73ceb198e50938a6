"""`holdfast doctor`: what this host can enforce, and whether it holds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from holdfast.app import engine_name, open_engine, probe_engines
from holdfast.cli.installing import table
from holdfast.engines import Engine
from holdfast.settings import Settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks import ATTACKS, Attack, BrokenAttackError, Outcome, Report, Result, run_attack
from holdfast.testing.places import PLACES, judged, open_place
from holdfast.types import Capabilities, Network

_LAYERS = ("namespaces", "seccomp", "cgroup", "landlock", "separate_users")
_COLOURS = {Result.CONTAINED: "green", Result.ESCAPED: "bold red", Result.NOT_APPLICABLE: "yellow"}


async def examine(settings: Settings, *, attack: bool, as_json: bool) -> int:
    """Print what was found; 0 when this host is good enough and nothing escaped, otherwise 1."""
    console = Console(stderr=as_json)
    engines = await probe_engines(settings)
    capabilities = engines[engine_name(settings)]
    missing = sorted(_needed(settings) - _present(capabilities))
    versions = {} if missing else await _versions(settings)
    if not as_json:
        _show_engines(console, engines)
        _show_host(console, capabilities, missing)
        console.print(table(versions))
    found = await _attack(settings, console) if attack and not missing else []
    if as_json:
        print(_as_json(engines, capabilities, missing, versions, found))
    elif found:
        _show_found(console, found)
    escaped = any(each.report.outcome.result is Result.ESCAPED for each in found)
    return int(bool(missing) or escaped)


def _needed(settings: Settings) -> set[str]:
    forgone = {"cgroup"} if settings.accept_rlimits else set()
    wanted = {"network"} if settings.allow_network else set()
    return ({str(layer) for layer in settings.isolation_floor} - forgone) | wanted


def _present(capabilities: Capabilities) -> frozenset[str]:
    return capabilities.layers | ({"network"} if Network.FULL in capabilities.networks else set())


async def _versions(settings: Settings) -> Mapping[str, str | None]:
    async with open_engine(settings, Metrics()) as engine:
        return await engine.runtimes()


@dataclass(frozen=True, slots=True)
class Found:
    """What became of an attack in one of the places a program can be in."""

    place: str
    report: Report


async def _attack(settings: Settings, console: Console) -> list[Found]:
    found = []
    with console.status("attacking") as status:
        for place in PLACES:
            async with open_place(place, settings) as engine:
                for number, attack in enumerate(ATTACKS, start=1):
                    status.update(f"in a {place}, attack {number} of {len(ATTACKS)}: {attack.name}")
                    found.append(Found(place, await _report(attack, engine, place)))
    return found


async def _report(attack: Attack, engine: Engine, place: str) -> Report:
    """An attack that broke off proves nothing, so it counts against the engine."""
    try:
        report = await run_attack(attack, engine)
        return replace(report, outcome=judged(attack, place, report.outcome))
    except BrokenAttackError as error:
        outcome = Outcome(Result.ESCAPED, f"the attack itself broke off: {error}")
        return Report(attack, engine.capabilities.engine, outcome, 0.0)


def _show_engines(console: Console, engines: Mapping[str, Capabilities]) -> None:
    """What can be chosen with HOLDFAST_ENGINE."""
    table = Table("engine", "isolation here", "why not more", title="Engines")
    for name, found in engines.items():
        layers = f"[green]{', '.join(sorted(found.layers))}[/]" if found.layers else "[red]none[/]"
        table.add_row(name, layers, escape(" ".join(problem.reason for problem in found.problems)))
    console.print(table)


def _show_host(console: Console, capabilities: Capabilities, missing: Sequence[str]) -> None:
    table = Table("layer", "enforced", title=f"Engine '{capabilities.engine}' on this host")
    for layer in _LAYERS:
        table.add_row(layer, _enforced(layer, capabilities))
    console.print(table)
    console.print("Limits:", ", ".join(sorted(capabilities.limits)) or "none")
    console.print("Networks:", ", ".join(sorted(capabilities.networks)) or "none")
    for problem in capabilities.problems:
        console.print(f"[yellow]{problem.layer}[/]: {escape(problem.reason)}", soft_wrap=True)
        console.print(f"  mend it: {escape(problem.fix)}", soft_wrap=True)
    if missing:
        console.print(f"[bold red]Below the floor[/]: {', '.join(missing)} missing; the server refuses to start.")
    else:
        console.print("[green]Good enough[/]: every layer of the floor is enforced.")


def _enforced(layer: str, capabilities: Capabilities) -> str:
    if layer not in capabilities.layers:
        return "[red]no[/]"
    details = {"cgroup": capabilities.cgroup, "landlock": f"ABI {capabilities.landlock}"}
    return f"[green]yes[/] {details.get(layer, '')}"


def _show_found(console: Console, found: Sequence[Found]) -> None:
    table = Table("in a", "aim", "attack", "result", "why")
    for each in found:
        attack, outcome = each.report.attack, each.report.outcome
        result = f"[{_COLOURS[outcome.result]}]{outcome.result.value.replace('_', ' ')}[/]"
        table.add_row(each.place, attack.aim.value, attack.name, result, escape(outcome.reason[:100]))
    console.print(table)
    for place in PLACES:
        results = [each.report.outcome.result for each in found if each.place == place]
        counts = ", ".join(f"{results.count(result)} {result.value.replace('_', ' ')}" for result in Result)
        console.print(f"{len(results)} attacks in a {place}: {counts}.")


def _as_json(
    engines: Mapping[str, Capabilities],
    capabilities: Capabilities,
    missing: Sequence[str],
    versions: Mapping[str, str | None],
    found: Sequence[Found],
) -> str:
    attacks = [
        {
            "place": each.place,
            "aim": each.report.attack.aim.value,
            "name": each.report.attack.name,
            "result": each.report.outcome.result.value,
            "reason": each.report.outcome.reason,
            "seconds": round(each.report.seconds, 3),
        }
        for each in found
    ]
    told = {
        "capabilities": capabilities.model_dump(mode="json"),
        "missing": list(missing),
        "languages": dict(versions),
        "attacks": attacks,
        "engines": {name: each.model_dump(mode="json") for name, each in engines.items()},
    }
    return json.dumps(told, indent=2)
