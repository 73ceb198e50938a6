"""Locks that several processes see."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from holdfast import locks

HOLDS = """
import sys
from pathlib import Path
from holdfast import locks
kept = locks.hold(Path(sys.argv[1])), locks.claim(Path(sys.argv[2]))
print("holds", flush=True)
sys.stdin.read()
"""


def test_what_another_process_holds_stays_until_that_ends(tmp_path: Path) -> None:
    directory, file = tmp_path / "held", tmp_path / "claimed"
    os.close(locks.make(directory))
    command = [sys.executable, "-c", HOLDS, str(directory), str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "holds\n"
        locks.remove_if_free(directory, lambda name: False)
        assert directory.exists()
        assert (locks.claim(file), locks.is_claimed(file), locks.is_claimed(directory)) == (None, True, False)
        other.kill()
    locks.remove_if_free(directory, lambda name: name == "held")
    assert directory.exists(), "it is wanted"
    locks.remove_if_free(directory, lambda name: False)
    assert (directory.exists(), locks.hold(directory), locks.is_claimed(file)) == (False, None, False)


def test_what_is_being_made_is_neither_held_nor_removed(tmp_path: Path) -> None:
    directory = tmp_path / "new"
    lock = locks.make(directory)
    locks.remove_if_free(directory, lambda name: False)
    assert (directory.exists(), locks.hold(directory), locks.is_claimed(directory)) == (True, None, True)
    os.close(lock)
    held = locks.hold(directory)
    assert held is not None
    os.close(held)


def test_a_directory_that_is_swept_away_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    over = threading.Event()

    def sweep() -> None:
        while not over.is_set():
            for name in os.listdir(tmp_path):
                locks.remove_if_free(tmp_path / name, lambda name: False)

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for number in range(300):
            lock = locks.make(tmp_path / str(number))
            assert (tmp_path / str(number)).exists()
            os.close(lock)
    finally:
        over.set()
        for sweeper in sweepers:
            sweeper.join()


def test_no_link_is_followed(tmp_path: Path) -> None:
    os.close(locks.make(tmp_path / "real"))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    locks.remove_if_free(tmp_path / "link", lambda name: False)
    assert (tmp_path / "real").exists() and (tmp_path / "link").is_symlink()
