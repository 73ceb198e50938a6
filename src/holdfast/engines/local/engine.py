"""The local engine: starts launchers, makes cells, and gives everything back."""

import asyncio
import itertools
import math
import os
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from typing import Any

from holdfast import cell_library
from holdfast.engines import SandboxSpec
from holdfast.engines.host import cgroup, datasets, tree
from holdfast.engines.host.runtimes import versions
from holdfast.engines.host.seccomp import compile_filter
from holdfast.engines.local import probe
from holdfast.engines.local.cell import Holding, Lines, LocalSandbox, Started, Waiting
from holdfast.engines.local.config import LAYERS, LocalConfig
from holdfast.engines.local.connection import Connection
from holdfast.engines.local.description import describe, environment
from holdfast.engines.local.gateway import Gateways
from holdfast.engines.local.ids import MAX_CELLS, HostIds
from holdfast.engines.local.launcher import Launcher, LauncherFailed
from holdfast.engines.local.launchers import DATASETS, PLAIN, Launchers
from holdfast.engines.local.process import Pipes
from holdfast.errors import EngineError, HostError, UnsupportedError
from holdfast.guest import syscalls
from holdfast.guest.groups import name_of_cell
from holdfast.guest.init import NAMESPACE_NAMES
from holdfast.languages import LANGUAGES
from holdfast.types import Capabilities, Isolation, Limits, Network, Problem

CREATE_SECONDS = 10.0
REMOVAL_TRIES, REMOVAL_PAUSE_SECONDS = 50, 0.02

CLONE_FLAGS = (
    syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
)
"""The namespaces a cell is born into; its cgroup namespace follows once it is in its groups."""

STOCK_LIMITS = Limits(
    wall_seconds=30,
    memory_bytes=256 << 20,
    disk_bytes=192 << 20,
    output_bytes=1 << 20,
    processes=64,
    open_files=1024,
    cpu_shares=64,
)
"""What an unused cell is held to; every one of them can still be changed when its job comes.

Its small share of the processors is for kernels without idle groups: the programs that run come first.
"""

_BYTES_PER_INODE = 4096
_MIN_INODES, _MAX_INODES = 1024, 262_144


class LocalEngine:
    """Cells on this machine. Make one with `LocalEngine.open`."""

    def __init__(
        self, config: LocalConfig, groups: cgroup.CgroupTree, problems: tuple[Problem, ...], host_ids: HostIds
    ) -> None:
        self._config = config
        self._groups = groups
        self._ids = itertools.count(1)
        self._free_slots = list(range(MAX_CELLS - 1, -1, -1))
        self._landlock = syscalls.landlock_abi()
        self._native = cell_library.in_tree(config.guest_env) if config.compiled else None
        self._launchers = Launchers(
            self._launcher_description, config.profiles, config.layers, self._restarted, config.on_demand
        )
        self._host_ids = host_ids
        self._gateways = Gateways(config, host_ids.gateway)
        self._cells: set[LocalSandbox] = set()
        self._with_data: dict[LocalSandbox, str] = {}
        self._gone: set[str] = set()
        self._holdings: dict[tuple[Limits, int], Holding] = {}
        self._closing = False
        self.capabilities = Capabilities(
            engine="local", limits=frozenset(), networks=frozenset(), layers=frozenset(), problems=problems
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, config: LocalConfig) -> AsyncIterator["LocalEngine"]:
        """Start an engine and try it out. Raises HostError when the host is below the operator's floor."""
        with closing(HostIds.claimed(config.state_dir)) as host_ids:
            groups, problems = _prepare_cgroups(config)
            engine = cls(config, groups, problems, host_ids)
            try:
                await engine._start()
                engine._launchers.keep()
                yield engine
            finally:
                await engine._launchers.stop_keeping()
                await engine.aclose()

    @classmethod
    async def probe(cls, config: LocalConfig) -> Capabilities:
        """What this host can enforce, without any floor; a host that can do nothing has no layers but problems."""
        try:
            async with cls.open(replace(config, floor=frozenset(), accept_rlimits=True, profiles={})) as engine:
                return engine.capabilities
        except HostError as error:
            if config.allow_network:
                rest = await cls.probe(replace(config, allow_network=False))
                problem = Problem(layer="network", reason=error.detail, fix="see the reason")
                return rest.model_copy(update={"problems": (*rest.problems, problem)})
            problem = Problem(layer="namespaces", reason=error.detail, fix="see the reason")
            empty: frozenset[str] = frozenset()
            return Capabilities(engine="local", limits=empty, networks=frozenset(), layers=empty, problems=(problem,))

    def _launcher_description(self, modules: tuple[str, ...], layer: str = "") -> dict[str, Any]:
        launcher = {
            "modules": modules,
            "cgroup": self._groups.launcher_config(),
            "cgroup_usage_fields": self._groups.usage_fields(),
            "cgroup_cpu_unit_seconds": self._groups.cpu_unit_seconds,
            "uid_base": self._host_ids.base,
            "clone_flags": CLONE_FLAGS,
            "landlock": self._landlock,
            "seccomp": compile_filter(shared_user=self._host_ids.base is None).hex(),
            "native": self._native,
            "namespaces_outside": {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACE_NAMES},
        }
        files = {"files": self._gateways.files(), "uid_range": self._host_ids.subordinate}
        return describe(self._config, layer, launcher) | files

    def _restarted(self) -> None:
        self._config.on_event("launcher_restart")

    async def _start(self) -> None:
        """Start the plain launcher, make one cell, and see what holds it; all our promises follow from that."""
        try:
            launcher = await self._launchers.start()
            network = Network.FULL if self._config.allow_network else Network.NONE
            if network is Network.FULL:
                await self._gateways.of(launcher)
            sandbox = await self._make(SandboxSpec("python", STOCK_LIMITS, network))
        except LauncherFailed as failure:
            raise HostError(probe.explain(failure.step, failure.reason)) from failure
        except EngineError as error:
            raise HostError(probe.explain("cell", error.detail)) from error
        await sandbox.aclose()
        await sandbox.gone
        self.capabilities = self._judge(sandbox.isolation)

    def _judge(self, isolation: Isolation) -> Capabilities:
        """What we can promise, given what held the first cell. Raises HostError below the floor."""
        layers = {name for name in LAYERS if _holds(name, isolation)}
        missing = self._config.floor - layers
        if self._config.accept_rlimits:
            missing -= {"cgroup"}
        if missing:
            known = {problem.layer: problem for problem in self.capabilities.problems}
            raise HostError(probe.below_floor(missing, known))
        limits = {"wall_seconds", "output_bytes", "disk_bytes", "open_files", "cpu_seconds", "memory_bytes"}
        if self._host_ids.base is not None:
            limits |= {"processes"}
        if "cgroup" in layers:
            limits |= {"processes", "cpu_shares", "cpus"}
        return Capabilities(
            engine="local",
            limits=frozenset(limits),
            networks=frozenset({Network.NONE, isolation.network}),
            layers=frozenset(layers),
            landlock=isolation.landlock,
            cgroup=self._groups.version,
            problems=(*self.capabilities.problems, *probe.advice(layers), *self._gateways.problems()),
        )

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        """All limits can still be set on an unused cell; network, layer and profile cannot."""
        known = spec.profile in tree.STARTED_PROGRAMS or self._launchers.is_up(
            spec.profile, DATASETS if spec.data else spec.layer
        )
        layer = spec.layer if self._launchers.knows(spec.layer) else ""
        return replace(spec, language="", limits=STOCK_LIMITS, profile=spec.profile if known else PLAIN, layer=layer)

    async def create(self, spec: SandboxSpec) -> LocalSandbox:
        """A fresh cell. Raises UnsupportedError, EngineError, NotFoundError for a layer that is gone."""
        if spec.network not in self.capabilities.networks:
            raise UnsupportedError("Network access is not enabled on this server.", field="allow_network")
        return await self._make(spec)

    async def _make(self, spec: SandboxSpec) -> LocalSandbox:
        if self._closing:
            raise EngineError("The engine is closed.")
        launcher = await self._launchers.of(spec.profile, self._layer_of(spec))
        if not self._free_slots:
            raise EngineError(f"All {MAX_CELLS} sandboxes are in use; try again.")
        sandbox = self._ask(launcher, spec)
        try:
            async with asyncio.timeout(CREATE_SECONDS):
                reading = await sandbox.ready()
                if spec.network is Network.FULL:
                    reading["network"] = await self._gateways.join(sandbox, launcher)
        except TimeoutError:
            await sandbox.aclose()
            raise EngineError("A sandbox was not ready in time; try again.") from None
        except BaseException:
            await sandbox.aclose()
            raise
        sandbox.isolation = self._isolation(reading)
        return sandbox

    def _layer_of(self, spec: SandboxSpec) -> str:
        """Raises UnsupportedError, NotFoundError for a dataset that is gone."""
        if not spec.data:
            return spec.layer
        datasets.place_of(self._config.state_dir, spec, self._gone)
        return DATASETS

    def _ask(self, launcher: Launcher, spec: SandboxSpec) -> LocalSandbox:
        slot, cell_id = self._free_slots.pop(), next(self._ids)
        ours, theirs = socket.socketpair()
        program = tree.STARTED_PROGRAMS.get(spec.profile)
        started = Started(program.serves, Pipes(), environment(spec.layer)) if program else None
        waits = spec.limits == STOCK_LIMITS
        ahead = self._read_ahead(spec) if waits else 0
        message = {
            "slot": slot,
            "cgroup": self._groups.cell(spec.limits),
            "disk": _disk_options(spec.limits),
            "warm": program.argv if program else None,
            "warm_up": self._config.calm_milliseconds_of(spec) if waits else None,
            "read_ahead": ahead,
            "network": spec.network is Network.FULL,
            "data": spec.data,
        }
        streams = started.pipes.program_ends() if started else ()
        try:
            handle = launcher.create(cell_id, message, (theirs.fileno(), *streams))
        except EngineError:
            ours.close()
            self._free_slots.append(slot)
            raise
        finally:
            theirs.close()
            if started:
                started.pipes.given_away()
        end = partial(launcher.kill, cell_id)
        connection = Connection(ours, take_descriptors=spec.network is Network.FULL)
        lines = Lines(connection, handle.gone, end)
        loaded_bytes = launcher.data_bytes if self._groups.version == "none" else 0
        hold = partial(self._hold, loaded_bytes=loaded_bytes)
        waiting = Waiting(partial(self._groups.set_idle, name_of_cell(cell_id)), ahead) if waits else Waiting()
        sandbox = LocalSandbox(secrets.token_hex(8), spec.limits, hold, lines, started, waiting)
        self._cells.add(sandbox)
        if spec.data:
            self._with_data[sandbox] = spec.data
        handle.gone.add_done_callback(lambda _: self._release(sandbox, slot))
        return sandbox

    def _read_ahead(self, spec: SandboxSpec) -> int:
        """How many bytes of its dataset a cell is to read while it waits."""
        most = self._config.read_ahead.get(spec.profile, 0) if spec.data else 0
        return min(most, datasets.size_of(self._config.state_dir, spec.data)) if most else 0

    def _release(self, sandbox: LocalSandbox, slot: int) -> None:
        self._cells.discard(sandbox)
        self._with_data.pop(sandbox, None)
        self._free_slots.append(slot)

    def _hold(self, limits: Limits, loaded_bytes: int) -> Holding:
        held = self._holdings.get((limits, loaded_bytes))
        if held is None:
            if len(self._holdings) >= MAX_CELLS:
                self._holdings.clear()
            held = self._holdings[limits, loaded_bytes] = self._work_out(limits, loaded_bytes)
        return held

    def _work_out(self, limits: Limits, loaded_bytes: int) -> Holding:
        writes = {name: value for _, name, value in self._groups.writes(limits)}
        return Holding(limits, writes, _disk_options(limits), self._rlimits(limits, loaded_bytes))

    def _rlimits(self, limits: Limits, loaded_bytes: int) -> dict[str, int]:
        rlimits = {
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_FSIZE": limits.disk_bytes,
            "RLIMIT_MEMLOCK": 64 << 10,
            # Counted against the user who started the server, so next to nothing.
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_SIGPENDING": 256,
        }
        if self._host_ids.base is not None:
            rlimits["RLIMIT_NPROC"] = limits.processes
        if limits.cpu_seconds is not None:
            rlimits["RLIMIT_CPU"] = math.ceil(limits.cpu_seconds) + 1
        if self._groups.version == "none":
            # What its interpreter had loaded in advance counts in it, and is not the program's.
            rlimits["RLIMIT_DATA"] = limits.memory_bytes + loaded_bytes
        return rlimits

    def _isolation(self, reading: dict[str, Any]) -> Isolation:
        """What pid 1 read back from the kernel, as a result says it."""
        notes = []
        if not reading["separate_users"]:
            notes.append("pid 1 and the program share one uid, because newuidmap or a subuid range is missing")
        if not reading["cgroup"]:
            notes.append("no control groups: memory is limited per process, cpu is not limited")
        network = Network.FULL if "net" not in reading["namespaces"] or reading.get("network") else Network.NONE
        if network is Network.FULL:
            notes += [problem.reason for problem in self._gateways.problems()]
        return Isolation(
            engine="local",
            namespaces=tuple(reading["namespaces"]),
            seccomp="filter" if reading["seccomp"] else "none",
            cgroup=self._groups.version if reading["cgroup"] else "none",
            landlock=self._landlock if reading["landlock"] else None,
            network=network,
            no_new_privileges=reading["no_new_privileges"],
            capabilities_dropped=reading["capabilities_dropped"],
            separate_users=reading["separate_users"],
            notes=tuple(notes),
        )

    async def runtimes(self, names: Collection[str] = LANGUAGES) -> Mapping[str, str | None]:
        """Language -> version, None for one whose program is not on this host. Asked inside a cell."""
        return await versions(self, names)

    async def forget(self, name: str) -> None:
        """Make no more cells with this layer or dataset, and return when the last one is gone."""
        self._gone.add(name)
        while name in self._with_data.values():  # noqa: ASYNC110  # cells announce it to others
            await asyncio.sleep(REMOVAL_PAUSE_SECONDS)
        await self._launchers.forget(name)
        if (self._config.datasets / name).is_dir():
            # The same data may come again.
            self._launchers.renew()
        self._gone.discard(name)

    async def aclose(self) -> None:
        """End every cell and the launchers, and remove our control groups."""
        self._closing = True
        cells = list(self._cells)
        for sandbox in cells:
            await sandbox.aclose()
        if cells:
            await asyncio.wait([sandbox.gone for sandbox in cells], timeout=5)
        await self._launchers.aclose()
        await self._gateways.aclose()
        self._groups.close()
        for _ in range(REMOVAL_TRIES):
            if self._groups.remove():
                break
            await asyncio.sleep(REMOVAL_PAUSE_SECONDS)


def _disk_options(limits: Limits) -> str:
    inodes = min(_MAX_INODES, max(_MIN_INODES, limits.disk_bytes // _BYTES_PER_INODE))
    return f"size={limits.disk_bytes},nr_inodes={inodes}"


def _holds(layer: str, isolation: Isolation) -> bool:
    return {
        "namespaces": len(isolation.namespaces) == len(NAMESPACE_NAMES)
        and isolation.capabilities_dropped
        and isolation.no_new_privileges,
        "seccomp": isolation.seccomp == "filter",
        "cgroup": isolation.cgroup != "none",
        "landlock": isolation.landlock is not None,
        "separate_users": isolation.separate_users,
    }[layer]


def _prepare_cgroups(config: LocalConfig) -> tuple[cgroup.CgroupTree, tuple[Problem, ...]]:
    try:
        return cgroup.prepare(config.cgroup_parent), ()
    except cgroup.NoCgroup as none:
        if "cgroup" in config.floor and not config.accept_rlimits:
            raise HostError(probe.below_floor({"cgroup"}, {"cgroup": none.problem})) from none
        return cgroup.CgroupTree("none"), (none.problem,)
