"""`holdfast images`: what programs run in on Docker."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from holdfast import images
from holdfast.app import docker_config
from holdfast.settings import Settings


async def build(settings: Settings, names: Sequence[str], base: str | None) -> None:
    """Raises UnknownLanguageError, RuntimeNotAvailableError, HostError, EngineError."""
    sources = images.Sources(settings.guest_environment, settings.toolchains)
    built = await images.build(docker_config(settings), sources, names, base, print)
    print(f"Ready: {', '.join(built) or 'no language'}")


async def show(settings: Settings, *, as_json: bool) -> None:
    """Raises HostError when no daemon answers."""
    found = await images.present(docker_config(settings))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("language", "image", "MB")
    for image in found:
        table.add_row(image["language"], image["image"], str(image["size_bytes"] // 1_000_000))
    Console().print(table)
