"""What is compiled on the host: found by its sources, and not needed."""

import ctypes
import shutil
from importlib import resources
from pathlib import Path

import pytest

from holdfast import cell_library
from holdfast.settings import load_settings
from tests.conftest import lacks


@pytest.fixture
def said() -> list[str]:
    return []


def compilers(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """Let `folder` be all there is to find a compiler in: one that runs this script, or none."""
    monkeypatch.setenv("PATH", str(folder))
    if script is not None:
        (folder / "cc").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "cc").chmod(0o755)


def test_this_host_has_it_compiled() -> None:
    if cell_library.in_tree(load_settings().guest_environment) is None:
        lacks("local", "no C compiler was there when `holdfast setup` ran")


def test_it_is_compiled_once_and_can_be_loaded(tmp_path: Path, said: list[str]) -> None:
    cell_library.install(tmp_path, said.append)
    if said:
        lacks("local", said[0])
    (made,) = (tmp_path / "cell").iterdir()
    before = made.stat().st_mtime_ns
    cell_library.install(tmp_path, said.append)
    assert made.stat().st_mtime_ns == before
    assert cell_library.in_tree(tmp_path) == f"/opt/holdfast/env/cell/{made.name}"
    assert ctypes.PyDLL(str(made)).make_cell


@pytest.mark.parametrize("changed", ["cell.c", "cell/running.h", "warm_node.c"])
def test_what_was_compiled_of_other_sources_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(str(resources.files("holdfast.guest")), sources, ignore=shutil.ignore_patterns("*.py*"))
    monkeypatch.setattr(resources, "files", lambda _: sources)
    before = cell_library._name()
    with (sources / changed).open("a") as file:
        file.write("/* changed */\n")
    assert cell_library._name() != before


def test_a_host_without_a_compiler_goes_without_and_is_told_what_to_install(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compilers(tmp_path, monkeypatch, None)
    cell_library.install(tmp_path, said.append)
    assert cell_library.in_tree(tmp_path) is None
    assert "sudo apt install gcc" in said[0]


def test_a_compiler_that_does_not_work_leaves_nothing_and_says_why(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compilers(tmp_path, monkeypatch, "echo 'stdio.h: No such file or directory' >&2; exit 1")
    cell_library.install(tmp_path, said.append)
    assert cell_library.in_tree(tmp_path) is None
    assert "stdio.h" in said[0]
    assert list((tmp_path / "cell").iterdir()) == []
