"""The toolchains Holdfast installs: pinned, whole or absent, and named to programs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import toolchains
from holdfast.errors import UnknownLanguageError
from holdfast.guest_environment import STAMP
from holdfast.languages import LANGUAGES, LANGUAGES_AT
from holdfast.toolchains import recipes

FILES = Path(toolchains.__file__).parent
UNREACHABLE = "http://127.0.0.1:1/simple"


def fake(root: Path, name: str, *programs: str) -> Path:
    """What an install leaves, without the install."""
    place = root / name
    for program in programs:
        path = place / LANGUAGES[name].tools[program]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (place / STAMP).write_text(toolchains._stamp(name, place))
    return place


def test_a_toolchain_is_pinned_with_hashes_and_names_no_index() -> None:
    for name in ("node", "deno", "go"):
        assert re.match(r"[a-z-]+==[\d.]+ \\\n +--hash=sha256:", (FILES / f"{name}.lock").read_text())
    packages = json.loads((FILES / "bun.package-lock.json").read_text())["packages"]
    pinned = {name: package for name, package in packages.items() if name}
    assert all(package["integrity"].startswith("sha512-") for package in pinned.values())
    assert not any("resolved" in package for package in pinned.values())
    assert "node_modules/@oven/bun-linux-x64" in pinned and "node_modules/@oven/bun-linux-aarch64" in pinned


def test_every_recipe_is_for_a_language_that_names_its_command_and_its_programs() -> None:
    for name in toolchains.RECIPES:
        assert LANGUAGES[name].install == f"holdfast languages add {name}"
        assert LANGUAGES[name].tools
        assert recipes.pins(name)


def test_programs_find_what_is_installed_and_nothing_else(tmp_path: Path) -> None:
    place = fake(tmp_path, "deno", "deno")
    (tmp_path / "go" / "go" / "bin").mkdir(parents=True)
    assert toolchains.binds(tmp_path) == [(str(place), f"{LANGUAGES_AT}/deno")]
    assert toolchains.links(tmp_path) == {"deno": f"{LANGUAGES_AT}/deno/bin/deno"}
    assert toolchains.folders(tmp_path) == [str(place / "bin")]


def test_a_toolchain_of_somebody_else_is_bound_beside_its_place(tmp_path: Path) -> None:
    theirs = tmp_path / "rustup" / "stable"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "bin" / "rustc").touch()
    place = tmp_path / "rust"
    place.mkdir()
    (place / toolchains.LINKED).symlink_to(theirs)
    (place / STAMP).write_text(toolchains._stamp("rust", place))
    assert toolchains.binds(tmp_path)[1] == (str(theirs), f"{LANGUAGES_AT}/rust-toolchain")
    assert toolchains.links(tmp_path) == {"rustc": f"{LANGUAGES_AT}/rust-toolchain/bin/rustc"}
    (theirs / "bin" / "rustc").write_text("another version")
    assert not toolchains.is_ready(tmp_path, "rust")
    (theirs / "bin" / "rustc").unlink()
    assert not toolchains.is_ready(tmp_path, "rust")


def test_another_version_is_not_ready(tmp_path: Path) -> None:
    place = fake(tmp_path, "deno", "deno")
    assert toolchains.is_ready(tmp_path, "deno")
    (place / STAMP).write_text("{}")
    assert not toolchains.is_ready(tmp_path, "deno")
    assert not toolchains.is_ready(tmp_path, "go")


def test_one_that_is_ready_is_left_alone(tmp_path: Path) -> None:
    fake(tmp_path, "go", "go")
    steps: list[str] = []
    toolchains.add(tmp_path, "go", steps.append)
    assert steps == []


def test_a_language_nobody_knows_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownLanguageError, match="'cobol' is not one of: node, deno, bun, go, rust"):
        toolchains.add(tmp_path, "cobol", print)


def test_what_cannot_be_had_leaves_nothing_behind_and_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from holdfast import toolchains\n"
        "try: toolchains.add(Path(sys.argv[1]), 'deno', lambda step: None)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    options = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": UNREACHABLE, "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), **options}
    command = [sys.executable, "-c", code, str(tmp_path / "languages")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("RuntimeNotAvailableError Deno was not made: the package index cannot be reached")
    assert [path.name for path in (tmp_path / "languages").iterdir()] == [".deno.lock"]
