"""The image for `docker run` is the system's interpreter with all it needs, made without a registry."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.testing.bench import docker
from holdfast.testing.bench.jobs import system_python
from holdfast.testing.bench.spawning import Program

BARE = Program((system_python(), "-I", "-c", "print(1)"), "1\n")
BWRAP = Program(("/usr/bin/bwrap", "--ro-bind", "/", "/", "/bin/true"), "")


@pytest.mark.skipif(not BWRAP.works(), reason="bubblewrap, in which the tree is tried, does not work here")
def test_the_tree_of_the_image_is_enough_to_run_the_program(tmp_path: Path) -> None:
    archive = subprocess.run(docker.tree_command(BARE.command[0]), check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive, check=True)
    inside = ("/usr/bin/bwrap", "--unshare-all", "--ro-bind", str(tmp_path), "/", "--", *BARE.command)
    assert Program(inside, "1\n").works()


def test_a_machine_without_docker_is_a_reason_and_not_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docker, "CLEAN_PATH", "/nowhere")
    with ExitStack() as at_the_end:
        assert docker.docker_program(BARE, tmp_path / "docker.sock", at_the_end) == "it is not installed"
