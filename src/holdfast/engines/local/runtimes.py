"""Which languages this host can run, found by asking each program for its version inside a cell."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.engines import Command, Exited, Output, SandboxSpec
from holdfast.languages import LANGUAGES, Language
from holdfast.types import Limits

if TYPE_CHECKING:
    from holdfast.engines import Engine

_LIMITS = Limits(
    wall_seconds=10,
    memory_bytes=256 << 20,
    disk_bytes=8 << 20,
    output_bytes=1 << 16,
    processes=32,
    open_files=256,
    cpu_shares=512,
)


async def versions(engine: "Engine") -> Mapping[str, str | None]:
    """Language name -> version, or None when its program is absent."""
    return {name: await _version(engine, language) for name, language in LANGUAGES.items()}


async def _version(engine: "Engine", language: Language) -> str | None:
    sandbox = await engine.create(SandboxSpec(language.name, _LIMITS))
    try:
        async with sandbox.exec(Command(language.version, wall_seconds=_LIMITS.wall_seconds)) as process:
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
        if word.lstrip("v")[:1].isdigit():
            return word.lstrip("v")
    return text.strip()[:40]
