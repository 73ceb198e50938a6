"""`holdfast setup` and `holdfast languages`: what programs need that this host does not have yet."""

import json
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from holdfast import toolchains
from holdfast.app import open_engine
from holdfast.errors import RuntimeNotAvailableError
from holdfast.guest_environment import install
from holdfast.languages import LANGUAGES, find_language
from holdfast.settings import Settings
from holdfast.telemetry import Metrics


def set_up(settings: Settings) -> None:
    """Everything. A language that cannot be had is said, and is no reason not to start."""
    install(settings.guest_environment, print)
    for name in toolchains.RECIPES:
        try:
            toolchains.add(settings.toolchains, name, print)
        except RuntimeNotAvailableError as error:
            print(f"holdfast: {LANGUAGES[name].title} is left out: {error.detail}", file=sys.stderr)


def add(settings: Settings, name: str) -> None:
    """One language. Raises UnknownLanguageError, RuntimeNotAvailableError, StorageFullError."""
    language = find_language(name, "language")
    if language.name in toolchains.RECIPES:
        toolchains.add(settings.toolchains, language.name, print)
        print(f"{language.title} is installed; a server that runs already needs a restart to use it.")
        return
    if language.install != "holdfast setup":
        raise RuntimeNotAvailableError(f"{language.title} comes with the system; run: sudo {language.install}")
    install(settings.guest_environment, print)


async def show(settings: Settings, *, as_json: bool) -> None:
    """Which languages work here. Raises HostError where no sandbox can be made to try them in."""
    async with open_engine(settings, Metrics()) as engine:
        versions = await engine.runtimes()
    if as_json:
        print(json.dumps([{"name": name, "version": versions[name]} for name in LANGUAGES], indent=2))
        return
    Console().print(table(versions))


def table(versions: Mapping[str, str | None]) -> Table:
    """The languages, their versions, and the command that adds a missing one."""
    made = Table("language", "version", "description")
    for name, language in LANGUAGES.items():
        version = versions.get(name)
        made.add_row(
            name, f"[red]missing[/]; run: {language.install}" if version is None else version, language.description
        )
    return made
