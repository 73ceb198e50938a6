"""The drivers of the peers start real processes, and take only right output for success."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import EngineError
from holdfast.testing.bench.figures import Slice
from holdfast.testing.bench.processes import parents, processor_time, weight
from holdfast.testing.bench.spawning import XARGS, Program, once, steadily, steadily_by_xargs

ECHO = Program(("/bin/echo", "1"), "1\n")
FAILING = Program(("/bin/false",), "")

xargs_is_here = pytest.mark.skipif(not XARGS.exists(), reason="xargs is not installed")
DRIVERS = [steadily, pytest.param(steadily_by_xargs, marks=xargs_is_here)]
Driver = Callable[[Program, int, float, float], Slice]


def test_one_process_is_timed_and_its_output_checked() -> None:
    assert once(ECHO) > 0
    with pytest.raises(EngineError, match="broke off"):
        once(Program(ECHO.command, "2\n"))
    with pytest.raises(EngineError, match="broke off"):
        once(FAILING)


def test_a_peer_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/slow")
    assert Program(("/usr/bin/env",), "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\nLANG=C.UTF-8\n").works()


def test_a_peer_works_only_if_it_can_be_started_and_prints_what_it_should() -> None:
    assert ECHO.works()
    assert not Program(ECHO.command, "2\n").works()
    assert not FAILING.works()
    assert not Program(("/nowhere/echo",), "").works()


def children() -> set[int]:
    return {pid for pid, parent in parents() if parent == os.getpid()}


@pytest.mark.parametrize("driver", DRIVERS)
def test_steady_load_of_processes_counts_what_ends_in_its_window(driver: Driver) -> None:
    found = driver(ECHO, 3, 0.05, 0.3)
    assert found.ended > 3
    assert found.per_second == found.ended / 0.3
    assert driver(ECHO, 3, 0.05, 0.0).ended == 0


def test_steady_load_breaks_off_at_a_process_that_fails_and_leaves_none_behind() -> None:
    before = children()
    with pytest.raises(EngineError, match="broke off"):
        steadily(FAILING, 2, 0, 60)
    assert children() - before == set()


def test_the_processor_time_of_a_process_holds_what_it_has_spent() -> None:
    before = processor_time(os.getpid())
    while processor_time(os.getpid()).server < before.server + 50:
        pass
    assert before.server > 0


def test_a_process_and_what_it_started_are_weighed_apart(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    launcher = os.posix_spawn("/bin/sh", ["/bin/sh", "-c", f"cat {gate}; true"], {"PATH": "/usr/bin:/bin"})
    # Opening waits until `cat`, the process below the launcher, has opened its end.
    with gate.open("wb"):
        found = weight(os.getpid(), 1)
    os.waitpid(launcher, 0)
    assert found.server > 1
    assert found.launchers > 0
    assert found.cells > 0
