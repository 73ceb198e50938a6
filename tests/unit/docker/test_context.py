"""What a build of an image is sent."""

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from holdfast import toolchains
from holdfast.guest_environment import STAMP
from holdfast.images import Sources, dockerfile
from holdfast.images.context import write


def test_a_build_finds_all_it_copies_also_when_the_compiler_is_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchains, "_stamp", lambda name, place: name)
    (tmp_path / "rust").mkdir()
    (tmp_path / "rust" / STAMP).write_text("rust")
    archive = BytesIO()
    write(archive, dockerfile("rust"), Sources(tmp_path, tmp_path), "rust")
    copied = [line.split()[1] for line in dockerfile("rust").splitlines() if line.startswith("COPY")]
    with tarfile.open(fileobj=archive) as sent:
        names = sent.getnames()
    assert [name for name in copied if not any(f"{there}/".startswith(f"{name}/") for there in names)] == []
