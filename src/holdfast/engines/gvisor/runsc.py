"""The program `runsc`: whether there is one that can be used, and the command that runs a sandbox."""

import asyncio
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import HostError

OLDEST = 20221219
"""The release this is tested with, which Debian 12 has."""

ANSWER_SECONDS = 10.0
PLATFORMS = ("systrap", "ptrace")
"""How guest code is caught, best first. Never kvm, which needs a device of the host."""

INSTALL = "sudo apt install runsc"
_VERSION = re.compile(r"runsc version \S*?(\d{8})")


@dataclass(frozen=True, slots=True)
class Runsc:
    """A program that can be used. `rootless`: by an ordinary user."""

    path: str
    version: str
    platform: str
    rootless: bool

    def run(self, place: Path) -> tuple[str, ...]:
        """The command that runs the sandbox of a place, in the foreground, until its pid 1 ends."""
        flags = (
            f"--root={place / 'state'}",
            f"--platform={self.platform}",
            "--network=none",
            "--ignore-cgroups",
            "--file-access-mounts=exclusive",
            f"--log={place / 'runsc.log'}",
            *(("--rootless",) if self.rootless else ()),
        )
        return (self.path, *flags, "run", f"--bundle={place}", place.name)


async def find(*, rootless: bool) -> Runsc:
    """The program of this host. Raises HostError when there is none that can be used."""
    path = shutil.which("runsc")
    if path is None:
        raise HostError(f"gVisor's program 'runsc' is not installed; run: {INSTALL}")
    said = await _ask(path, "--version")
    match = _VERSION.search(said)
    if match is None:
        raise HostError(f"'{path} --version' does not say which version it is: {said[:100]!r}; run: {INSTALL}")
    if int(match[1]) < OLDEST:
        raise HostError(f"'{path}' is of {match[1]}, and at least {OLDEST} is needed; run: {INSTALL}")
    flags = await _ask(path, "flags")
    platform = next((name for name in PLATFORMS if re.search(rf"platform to use:.*\b{name}\b", flags)), None)
    if platform is None:
        raise HostError(f"'{path}' has none of the platforms {', '.join(PLATFORMS)}; run: {INSTALL}")
    return Runsc(path, match[1], platform, rootless)


async def _ask(path: str, question: str) -> str:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(path, question, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise HostError(f"'{path}' cannot be started: {error.strerror}; run: {INSTALL}") from None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            said, errors = await process.communicate()
    except TimeoutError:
        raise HostError(f"'{path} {question}' did not answer within {ANSWER_SECONDS:g} seconds.") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return (said + errors).decode(errors="replace")
