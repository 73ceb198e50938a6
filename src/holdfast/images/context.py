"""What a build of an image is sent: its Dockerfile, and the files that this host has and the image is to have.

The packages and toolchains are those that `holdfast setup` and `holdfast languages add` have installed, pinned and
verified; a build fetches none of them. Everything in a context belongs to root and can be read by all.
"""

import os
import tarfile
from collections.abc import Iterator, Mapping
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import IO

from holdfast import toolchains
from holdfast.errors import RuntimeNotAvailableError
from holdfast.languages import LANGUAGES, LANGUAGES_AT

DOCKERFILE = "Dockerfile"
LINKS = "bin"
_LEFT_OUT = {"__pycache__", "doc", "man"}
"""Bytecode of other versions, and pages nobody reads in a sandbox."""


class Sources:
    """Where this host has what images are made of."""

    def __init__(self, guest_env: Path, languages: Path) -> None:
        self._guest_env = guest_env
        self._languages = languages

    def files(self, image: str) -> Iterator[tuple[Path, str]]:
        """Path on this host and in the context of all that an image needs. Raises RuntimeNotAvailableError."""
        if image in LANGUAGES:
            yield Path(str(resources.files("holdfast.guest"))), "lib/holdfast/guest"
        if image == "python":
            yield from self._packages()
        if image in toolchains.RECIPES:
            yield from self._toolchain(image)

    def links(self, image: str) -> Mapping[str, str]:
        """Links in the context, and where they lead."""
        found = toolchains.links(self._languages).items() if image in toolchains.RECIPES else ()
        own = LANGUAGES[image].tools if image in LANGUAGES else {}
        return {f"{LINKS}/{name}": path for name, path in found if name in own}

    def _packages(self) -> Iterator[tuple[Path, str]]:
        if not (self._guest_env / "bin/python").exists():
            raise RuntimeNotAvailableError("The packages of the programs are not installed here; run: holdfast setup")
        for library in sorted(self._guest_env.glob("lib/python*/site-packages")):
            yield library, str(Path("env") / library.relative_to(self._guest_env))

    def _toolchain(self, name: str) -> Iterator[tuple[Path, str]]:
        if not toolchains.is_ready(self._languages, name):
            raise RuntimeNotAvailableError(
                f"{LANGUAGES[name].title} is not installed here; run: {LANGUAGES[name].install}"
            )
        for place, inside in toolchains.binds(self._languages):
            if inside in (f"{LANGUAGES_AT}/{name}", f"{LANGUAGES_AT}/{name}-{toolchains.LINKED}"):
                yield Path(place), inside.removeprefix("/opt/holdfast/")


def write(archive: IO[bytes], dockerfile: str, sources: Sources, image: str) -> None:
    """The context of one build, as a tar archive. Blocks for as long as the disk takes."""
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add_text(tar, DOCKERFILE, dockerfile)
        for place, inside in sources.files(image):
            tar.add(place, inside, filter=_plain)
        # A compiler of the system itself has no links, and a Dockerfile copies the directory all the same.
        tar.addfile(_directory(LINKS))
        for name, target in sources.links(image).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    archive.seek(0)


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, BytesIO(data))


def _directory(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = os.path.basename(entry.name)
    if name in _LEFT_OUT and "site-packages" not in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o555 if entry.isdir() else 0o444
    entry.mtime = 0
    return entry
