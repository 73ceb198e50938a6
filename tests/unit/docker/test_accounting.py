"""What a Docker daemon is believed to hold containers to, by what it says of itself."""

from typing import Any

import pytest

from holdfast.engines.docker.accounting import limits_of

EVERYTHING: dict[str, Any] = {
    "CgroupDriver": "cgroupfs",
    "CgroupVersion": "1",
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CPUShares": True,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
}
ALL = {"memory_bytes", "processes", "cpu_shares", "cpus"}
ROOTLESS = {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}


@pytest.mark.parametrize(
    ("differently", "held"),
    [
        ({}, ALL),
        ({"CgroupDriver": "none"}, set()),
        ({**ROOTLESS, "CgroupDriver": "none"}, set()),
        (ROOTLESS, set()),
        ({**ROOTLESS, "CgroupVersion": "2"}, ALL),
        ({"MemoryLimit": False}, ALL - {"memory_bytes"}),
        ({"PidsLimit": False}, ALL - {"processes"}),
        ({"CPUShares": False}, ALL - {"cpu_shares"}),
        ({"CpuCfsQuota": False}, ALL - {"cpus"}),
        ({"SecurityOptions": None}, ALL),
    ],
)
def test_what_a_daemon_forgets_is_no_limit(differently: dict[str, Any], held: set[str]) -> None:
    assert limits_of({**EVERYTHING, **differently}, host_swaps=True) == held


def test_memory_that_can_go_to_a_disk_is_not_limited() -> None:
    without = {**EVERYTHING, "SwapLimit": False}
    assert limits_of(without, host_swaps=True) == ALL - {"memory_bytes"}
    assert limits_of(without, host_swaps=False) == ALL


def test_a_daemon_that_says_nothing_holds_nothing() -> None:
    assert limits_of({}, host_swaps=False) == set()
