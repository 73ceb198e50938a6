"""Which languages this host can run, found by asking each program for its version inside a cell."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import anyio

from holdfast.engines import Command, Exited, Output, SandboxSpec
from holdfast.languages import LANGUAGES, Language
from holdfast.types import Limits

if TYPE_CHECKING:
    from holdfast.engines import Engine

_LIMITS = Limits(
    wall_seconds=20,
    memory_bytes=256 << 20,
    disk_bytes=8 << 20,
    output_bytes=1 << 16,
    processes=32,
    open_files=256,
    cpu_shares=512,
)


async def versions(engine: "Engine", names: Collection[str]) -> Mapping[str, str | None]:
    """Language name -> version, or None when its program is absent."""
    found: dict[str, str | None] = dict.fromkeys(LANGUAGES)

    async def ask(name: str) -> None:
        found[name] = await _version(engine, LANGUAGES[name])

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(ask, name)
    return found


async def _version(engine: "Engine", language: Language) -> str | None:
    sandbox = await engine.create(SandboxSpec(language.name, _LIMITS))
    try:
        command = Command(language.version, language.environment, wall_seconds=_LIMITS.wall_seconds)
        async with sandbox.exec(command) as process:
            printed = b""
            async for event in process:
                if isinstance(event, Output):
                    printed += event.data
                if isinstance(event, Exited) and event.exit_code == 0:
                    return _first_version(printed.decode(errors="replace"))
    finally:
        await sandbox.aclose()
    return None


def _first_version(text: str) -> str:
    """The first word that starts like a version number."""
    for word in text.split():
        number = word.removeprefix("go").lstrip("v")
        if number[:1].isdigit():
            return number
    return text.strip()[:40]
