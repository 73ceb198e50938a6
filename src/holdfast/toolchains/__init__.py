"""Compilers and runtimes that Holdfast installs: ordinary packages, each in a directory of its own below one root.

A toolchain is built beside its place and renamed into it, so it is there completely or not at all. Programs see the
directories read-only, and their programs by links on the PATH.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from holdfast.errors import UnknownLanguageError
from holdfast.guest_environment import STAMP, Progress, alone, replace, translated_errors
from holdfast.languages import LANGUAGES, LANGUAGES_AT
from holdfast.toolchains.recipes import RECIPES, Workshop, pins

__all__ = ["RECIPES", "add", "binds", "folders", "is_ready", "links", "pins"]

LINKED = "toolchain"
"""A link in a toolchain's directory to one that somebody else installed, such as rustup."""


def add(root: Path, name: str, progress: Progress) -> None:
    """Install the toolchain of a language, unless it is ready. `progress` is told each step.

    Raises UnknownLanguageError, RuntimeNotAvailableError, StorageFullError.
    """
    if name not in RECIPES:
        raise UnknownLanguageError(f"'{name[:80]}' is not one of: {', '.join(RECIPES)}.", field="image")
    place = root / name
    if is_ready(root, name):
        return
    with translated_errors(place), alone(place):
        if not is_ready(root, name):
            _build(root, name, progress)


def is_ready(root: Path, name: str) -> bool:
    """Whether the toolchain is complete and the one this version of Holdfast has pinned."""
    place = root / name
    try:
        return (place / STAMP).read_text() == _stamp(name, place)
    except OSError:
        return False


def _build(root: Path, name: str, progress: Progress) -> None:
    place, building = root / name, root / f".{name}.new"
    shutil.rmtree(building, ignore_errors=True)
    usual = os.umask(0o022)
    try:
        building.mkdir()
        RECIPES[name](Workshop(building, root, progress))
        (building / STAMP).write_text(_stamp(name, building))
        replace(building, place)
    finally:
        os.umask(usual)
        shutil.rmtree(building, ignore_errors=True)
    progress(f"Ready: {LANGUAGES[name].title}")


def _stamp(name: str, place: Path) -> str:
    """Raises OSError when a compiler that somebody else installed is gone."""
    stamp: dict[str, object] = {"language": name, "pins": hashlib.sha256(pins(name)).hexdigest()}
    if name == "rust":
        # Our SDK was compiled by this very compiler, and no other one could use it.
        compiler = (place / LINKED / "bin/rustc" if _linked(place) else Path("/usr/bin/rustc")).stat()
        stamp["compiler"] = [compiler.st_size, compiler.st_mtime_ns]
    return json.dumps(stamp)


def _linked(place: Path) -> bool:
    return (place / LINKED).is_symlink()


def _installed(root: Path) -> Iterator[tuple[str, Path]]:
    for name in RECIPES:
        if is_ready(root, name):
            yield name, root / name


def binds(root: Path) -> list[tuple[str, str]]:
    """Host path and path in the tree of what programs can see."""
    found = []
    for name, place in _installed(root):
        inside = f"{LANGUAGES_AT}/{name}"
        found.append((str(place), inside))
        if _linked(place):
            found.append((os.path.realpath(place / LINKED), f"{inside}-{LINKED}"))
    return found


def folders(root: Path) -> list[str]:
    """The directories on this host that hold the programs of toolchains."""
    found = {str((place / path).parent) for name, place in _installed(root) for path in LANGUAGES[name].tools.values()}
    return sorted(found)


def links(root: Path) -> Mapping[str, str]:
    """Program name -> path in the tree, of every program of every toolchain."""
    found = {}
    for name, place in _installed(root):
        for program, path in LANGUAGES[name].tools.items():
            if (place / path).exists():
                inside = path.replace(f"{LINKED}/", f"../{name}-{LINKED}/", 1)
                found[program] = os.path.normpath(f"{LANGUAGES_AT}/{name}/{inside}")
    return found
