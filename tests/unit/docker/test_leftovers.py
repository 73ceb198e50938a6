"""What tells the containers of one engine from those of others, and of the dead."""

import os
import shutil
from pathlib import Path

from holdfast.engines.docker.config import INSTANCE_LABEL
from holdfast.engines.docker.leftovers import Instance


def killed(instance: Instance) -> None:
    """What the kernel does to the lock of a process that was killed."""
    os.close(instance._lock)


def test_two_engines_of_one_state_directory_leave_each_other_alone(tmp_path: Path) -> None:
    first, second = Instance(tmp_path), Instance(tmp_path)
    assert first.owner == second.owner
    assert not first.is_left_over(second.labels) and not second.is_left_over(first.labels)
    killed(first)
    assert second.is_left_over(first.labels) and not second.is_left_over(second.labels)
    second.close()


def test_a_copy_of_a_state_directory_has_nothing_to_do_with_what_the_first_one_has_made(tmp_path: Path) -> None:
    first = Instance(tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    copy = Instance(tmp_path / "copy")
    assert copy.owner != first.owner
    first.close()
    copy.close()


def test_a_state_directory_is_the_same_wherever_it_is_mounted(tmp_path: Path) -> None:
    first = Instance(tmp_path / "state")
    (tmp_path / "state").rename(tmp_path / "moved")
    second = Instance(tmp_path / "moved")
    assert second.owner == first.owner and not second.is_left_over(first.labels)
    killed(first)
    second.close()


def test_the_locks_of_the_dead_do_not_pile_up(tmp_path: Path) -> None:
    for _ in range(3):
        killed(Instance(tmp_path))
    living = Instance(tmp_path)
    assert [path.stem for path in (tmp_path / "docker").glob("*.lock")] == [living.labels[INSTANCE_LABEL]]
    living.close()
    assert not list((tmp_path / "docker").glob("*.lock"))
