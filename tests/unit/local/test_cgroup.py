"""Control groups as data, for both versions; the files are what the kernel documents for each."""

import os
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engines.host import cgroup
from holdfast.types import Limits

LIMITS = Limits(
    wall_seconds=10,
    memory_bytes=64 << 20,
    disk_bytes=8 << 20,
    output_bytes=1 << 16,
    processes=8,
    open_files=64,
    cpu_shares=512,
    cpus=0.5,
)
V1_MOUNTS = """
30 24 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


ENGINE = "1-2-3"


@pytest.fixture(autouse=True)
def known_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "engine_name", lambda: ENGINE)


def a_version_2_file_system(root: Path, controllers: str = "cpu io memory pids") -> Path:
    """A directory that looks like a delegated v2 group: control files appear in each new directory."""
    for directory in (root, root / "holdfast", root / "holdfast" / ENGINE):
        directory.mkdir(exist_ok=True)
        (directory / "cgroup.controllers").write_text(controllers)
        (directory / "cgroup.subtree_control").write_text("")
        (directory / "cgroup.procs").write_text("1\n2\n")
    return root


def test_mounts_of_both_versions_are_found_in_mountinfo() -> None:
    found = cgroup.mounts(V1_MOUNTS.strip())
    assert [(mount.version, mount.point.name) for mount in found] == [
        ("v1", "memory"),
        ("v1", "cpu,cpuacct"),
        ("v1", "pids"),
        ("v2", "unified"),
    ]
    assert found[1].controllers >= {"cpu", "cpuacct"}


def test_own_groups_are_read_for_each_controller_and_for_version_2() -> None:
    groups = cgroup.own_groups("4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/user.slice/x\n")
    assert groups == {"memory": "/a/b", "cpu": "/c", "cpuacct": "/c", "": "/user.slice/x"}


def test_version_1_limits_are_written_to_the_files_of_their_hierarchies() -> None:
    tree = cgroup.CgroupTree(
        "v1",
        (
            cgroup.Hierarchy(Path("/nowhere/memory"), frozenset({"memory"})),
            cgroup.Hierarchy(Path("/nowhere/pids"), frozenset({"pids"})),
            cgroup.Hierarchy(Path("/nowhere/cpu"), frozenset({"cpu", "cpuacct"})),
        ),
    )
    assert tree.cell(LIMITS)["writes"] == [
        (0, "memory.limit_in_bytes", str(64 << 20)),
        (1, "pids.max", "10"),
        (2, "cpu.shares", "512"),
        (2, "cpu.cfs_quota_us", "50000"),
    ]


def test_version_2_limits_are_written_to_one_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "memory.swap.max").write_text("max")
    tree = cgroup.CgroupTree("v2", (cgroup.Hierarchy(tmp_path, frozenset({"memory", "pids", "cpu"})),))
    assert tree.cell(LIMITS)["writes"] == [
        (0, "memory.max", str(64 << 20)),
        (0, "memory.swap.max", "0"),
        (0, "pids.max", "10"),
        (0, "cpu.weight", "50"),
        (0, "cpu.max", "50000 100000"),
    ]


def test_only_usage_files_this_kernel_has_are_read(tmp_path: Path) -> None:
    for name in ("memory.peak", "memory.events", "cpu.stat"):
        (tmp_path / name).write_text("0")
    tree = cgroup.CgroupTree("v2", (cgroup.Hierarchy(tmp_path, frozenset({"memory", "pids", "cpu"})),))
    assert set(tree.cell(LIMITS)["usage"]) == {"memory_peak", "oom_kills", "cpu_user", "cpu_system"}  # type: ignore[call-overload]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_group_is_idle_or_not_where_the_kernel_can(version: Literal["v1", "v2"], tmp_path: Path) -> None:
    tree = cgroup.CgroupTree(version, (cgroup.Hierarchy(tmp_path, frozenset({"memory", "pids", "cpu"})),))
    for place in (tmp_path, tmp_path / "cell-1"):
        place.mkdir(exist_ok=True)
        (place / "cpu.idle").write_text("0")
    for idle in (True, False):
        assert tree.set_idle("cell-1", idle)
        assert (tmp_path / "cell-1" / "cpu.idle").read_text() == str(int(idle))
    assert not tree.set_idle("cell-2", True)


def test_a_kernel_without_idle_groups_is_asked_for_none(tmp_path: Path) -> None:
    tree = cgroup.CgroupTree("v2", (cgroup.Hierarchy(tmp_path, frozenset({"cpu"})),))
    assert not tree.set_idle("cell-1", True) and not cgroup.CgroupTree("none").set_idle("cell-1", True)
    assert list(tmp_path.iterdir()) == []


def test_without_control_groups_nothing_is_written_or_read() -> None:
    assert cgroup.CgroupTree("none").cell(LIMITS) == {"writes": [], "usage": {}}


def test_a_delegated_version_2_group_gets_its_controllers_enabled_all_the_way_down(tmp_path: Path) -> None:
    base = a_version_2_file_system(tmp_path / "delegated")
    tree = cgroup._open_tree(("v2", (cgroup.Hierarchy(base, frozenset({"memory", "pids", "cpu"})),)))
    ours = tree.hierarchies[0].directory
    for directory in (base, base / "holdfast", ours):
        assert (directory / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    for descriptor in tree.descriptors:
        os.close(descriptor)


def test_a_server_alone_in_its_version_2_group_moves_itself_into_a_leaf(tmp_path: Path) -> None:
    base = a_version_2_file_system(tmp_path / "delegated")
    (base / "cgroup.procs").write_text(f"{os.getpid()}\n")
    cgroup._make_room(base)
    assert (base / "server" / "cgroup.procs").read_text() == str(os.getpid())


def test_a_version_2_group_shared_with_others_is_left_alone(tmp_path: Path) -> None:
    base = a_version_2_file_system(tmp_path / "shared")
    cgroup._make_room(base)
    assert not (base / "server").exists()


def test_version_2_without_the_needed_controllers_is_no_candidate(tmp_path: Path) -> None:
    base = a_version_2_file_system(tmp_path / "bare", controllers="io")
    mount = cgroup.Mount("/", base, frozenset(), "v2")
    assert list(cgroup._candidates([mount], {"": "/"}, None)) == []


@pytest.mark.parametrize(("version", "helps"), [("v1", "version 1"), ("v2", "Delegate=yes")])
def test_what_mends_missing_groups_depends_on_the_version(
    version: Literal["v1", "v2"], helps: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = cgroup.Mount("/", tmp_path / "absent", frozenset(["memory", "pids", "cpu"]), version)
    monkeypatch.setattr(cgroup, "mounts", lambda _: [mount])
    with pytest.raises(cgroup.NoCgroup) as missing:
        cgroup.prepare()
    assert helps in missing.value.problem.fix
    assert ("systemd-run" in missing.value.problem.fix) is (version == "v2")


def test_leftovers_of_dead_servers_are_swept_and_those_of_living_ones_kept(tmp_path: Path) -> None:
    mine = cgroup.instance_name(os.getpid())
    dead, living = ["999999999-1-1", "999999999-1", f"{os.getpid()}-1-1"], [f"{mine}-1", f"{mine}-2", mine, "somebody"]
    for name in (*dead, *living):
        (tmp_path / name / "cell-7").mkdir(parents=True)
    cgroup.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*living}


@given(st.integers(min_value=2, max_value=262_144))
def test_every_cpu_share_becomes_a_weight_the_kernel_takes(shares: int) -> None:
    assert 1 <= cgroup.shares_to_weight(shares) <= 10_000


@pytest.mark.parametrize(("shares", "weight"), [(1024, 100), (512, 50), (2, 1), (262_144, 10_000)])
def test_shares_keep_their_proportion_as_weights(shares: int, weight: int) -> None:
    assert cgroup.shares_to_weight(shares) == weight
