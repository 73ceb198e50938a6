"""`holdfast doctor`: what this host can enforce, and whether it holds."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from holdfast.app import open_engine, probe_engines
from holdfast.cli.installing import table
from holdfast.engines import Engine
from holdfast.settings import Settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks import ATTACKS, Attack, BrokenAttackError, Outcome, Report, Result, run_attack
from holdfast.types import Capabilities, Network

_LAYERS = ("namespaces", "seccomp", "cgroup", "landlock", "separate_users")
_COLOURS = {Result.CONTAINED: "green", Result.ESCAPED: "bold red", Result.NOT_APPLICABLE: "yellow"}


async def examine(settings: Settings, *, attack: bool, as_json: bool) -> int:
    """Print what was found; 0 when this host is good enough and nothing escaped, otherwise 1."""
    console = Console(stderr=as_json)
    engines = await probe_engines(settings)
    capabilities = engines[settings.engine]
    missing = sorted(_needed(settings) - _present(capabilities))
    versions = {} if missing else await _versions(settings)
    if not as_json:
        _show_engines(console, engines)
        _show_host(console, capabilities, missing)
        console.print(table(versions))
    reports = await _attack(settings, console) if attack and not missing else []
    if as_json:
        print(_as_json(engines, capabilities, missing, versions, reports))
    elif reports:
        _show_reports(console, reports)
    escaped = any(report.outcome.result is Result.ESCAPED for report in reports)
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


async def _attack(settings: Settings, console: Console) -> list[Report]:
    reports = []
    async with open_engine(settings, Metrics()) as engine:
        with console.status("attacking") as status:
            for number, attack in enumerate(ATTACKS, start=1):
                status.update(f"attack {number} of {len(ATTACKS)}: {attack.name}")
                reports.append(await _report(attack, engine))
    return reports


async def _report(attack: Attack, engine: Engine) -> Report:
    """An attack that broke off proves nothing, so it counts against the engine."""
    try:
        return await run_attack(attack, engine)
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


def _show_reports(console: Console, reports: Sequence[Report]) -> None:
    table = Table("aim", "attack", "result", "why")
    for report in reports:
        colour = _COLOURS[report.outcome.result]
        result = f"[{colour}]{report.outcome.result.value.replace('_', ' ')}[/]"
        table.add_row(report.attack.aim.value, report.attack.name, result, escape(report.outcome.reason[:100]))
    console.print(table)
    counts = ", ".join(
        f"{sum(report.outcome.result is result for report in reports)} {result.value.replace('_', ' ')}"
        for result in Result
    )
    console.print(f"{len(reports)} attacks: {counts}.")


def _as_json(
    engines: Mapping[str, Capabilities],
    capabilities: Capabilities,
    missing: Sequence[str],
    versions: Mapping[str, str | None],
    reports: Sequence[Report],
) -> str:
    attacks = [
        {
            "aim": report.attack.aim.value,
            "name": report.attack.name,
            "result": report.outcome.result.value,
            "reason": report.outcome.reason,
            "seconds": round(report.seconds, 3),
        }
        for report in reports
    ]
    found = {
        "capabilities": capabilities.model_dump(mode="json"),
        "missing": list(missing),
        "languages": dict(versions),
        "attacks": attacks,
        "engines": {name: each.model_dump(mode="json") for name, each in engines.items()},
    }
    return json.dumps(found, indent=2)
