"""The gVisor engine: runs sandboxes with runsc, and gives everything back."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from holdfast import locks
from holdfast.engines import DATA_AT, NEW_LAYER, SandboxSpec
from holdfast.engines.control.container import ContainedSandbox
from holdfast.engines.control.link import LinkConnection
from holdfast.engines.gvisor import bundle, runsc
from holdfast.engines.gvisor.config import LAYERS, GvisorConfig
from holdfast.engines.gvisor.groups import SandboxGroups
from holdfast.engines.gvisor.keeper import GvisorKeeper
from holdfast.engines.gvisor.leftovers import own_place, remove_leftovers
from holdfast.engines.gvisor.reading import isolation_of
from holdfast.engines.host import cgroup, datasets, tree
from holdfast.engines.host.runtimes import versions
from holdfast.engines.host.seccomp import compile_filter
from holdfast.errors import EngineError, HostError, NotFoundError, UnsupportedError
from holdfast.languages import LANGUAGES
from holdfast.types import Capabilities, Isolation, Limits, Network, Problem

_NEEDS = "docs/guide/engines.md says what gVisor needs"
READY_SECONDS = 30.0
MOST_AT_ONCE = max(2, os.cpu_count() or 2)
"""How many sandboxes are made at the same time: each needs a processor while it starts."""

NEEDED_NAMESPACES = {"user", "mnt", "net"}

LEAVING_SECONDS = 0.05
REMOVAL_TRIES = 50
FAMILY = "holdfast-gvisor"
STOCK_LIMITS = Limits(
    wall_seconds=30,
    memory_bytes=512 << 20,
    disk_bytes=512 << 20,
    output_bytes=1 << 20,
    processes=64,
    open_files=1024,
    cpu_shares=64,
)
"""What an unused sandbox is held to; of these only the disk cannot be changed when its job comes."""


class GvisorEngine:
    """Sandboxes on gVisor's kernel. Make one with `GvisorEngine.open`."""

    def __init__(self, config: GvisorConfig, program: runsc.Runsc, groups: cgroup.CgroupTree) -> None:
        self._config = config
        self._runsc = program
        self._groups = groups
        self._seccomp = b""
        self._place = own_place(config.state_dir / "gvisor")
        self._tree = self._place / "tree"
        self._starting = asyncio.Semaphore(MOST_AT_ONCE)
        self._sandboxes: dict[str, ContainedSandbox] = {}
        self._shown: dict[str, str] = {}
        self._gone: set[str] = set()
        self._closing = False
        self.capabilities = _nothing()

    @classmethod
    @asynccontextmanager
    async def open(cls, config: GvisorConfig) -> AsyncIterator["GvisorEngine"]:
        """Start an engine and try it out. Raises HostError when this host cannot run it, or is below the floor."""
        program = await runsc.find(rootless=os.geteuid() != 0)
        groups, problems = _prepare_groups(config)
        engine = cls(config, program, groups)
        try:
            await engine._try_out(problems)
            yield engine
        finally:
            await engine.aclose()

    @classmethod
    async def probe(cls, config: GvisorConfig) -> Capabilities:
        """What this host can enforce, without any floor; one that cannot run gVisor has no layers but a problem."""
        try:
            async with cls.open(replace(config, floor=frozenset(), accept_rlimits=True)) as engine:
                return engine.capabilities
        except HostError as error:
            return _nothing(Problem(layer="namespaces", reason=error.detail, fix=_NEEDS))

    async def _try_out(self, problems: tuple[Problem, ...]) -> None:
        """Make one sandbox, and see what holds it; all our promises follow from that."""
        self._seccomp = compile_filter(shared_user=False)
        await asyncio.to_thread(remove_leftovers, self._place.parent)
        await asyncio.to_thread(bundle.make_tree, self._config, self._tree)
        try:
            sandbox = await self._make(SandboxSpec("python", STOCK_LIMITS), ())
        except EngineError as error:
            raise HostError(f"This host cannot run programs with runsc: {error.detail}") from error
        self.capabilities = self._judge(sandbox.isolation, problems)
        await sandbox.aclose()

    def _judge(self, isolation: Isolation, problems: tuple[Problem, ...]) -> Capabilities:
        held = {
            "namespaces": set(isolation.namespaces) >= NEEDED_NAMESPACES and isolation.capabilities_dropped,
            "seccomp": isolation.seccomp == "filter",
            "cgroup": isolation.cgroup != "none",
            "separate_users": isolation.separate_users,
        }
        layers = {name for name in LAYERS if held[name]}
        missing = self._config.floor - layers - ({"cgroup"} if self._config.accept_rlimits else set())
        if missing:
            reasons = " ".join(problem.reason for problem in problems)
            raise HostError(f"This host is below the isolation floor; missing {', '.join(sorted(missing))}. {reasons}")
        limits = {"wall_seconds", "output_bytes", "disk_bytes", "open_files", "cpu_seconds", "processes"}
        if "cgroup" in layers:
            limits |= {"memory_bytes", "cpu_shares", "cpus"}
        return Capabilities(
            engine="gvisor",
            limits=frozenset(limits),
            networks=frozenset({Network.NONE}),
            layers=frozenset(layers),
            cgroup=self._groups.version,
            problems=problems,
        )

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        """All limits but the disk can be set on an unused sandbox; layer and profile cannot."""
        profile = spec.profile if spec.profile in self._config.profiles and not spec.layer else ""
        layer = "" if spec.layer in self._gone else spec.layer
        limits = STOCK_LIMITS.model_copy(update={"disk_bytes": spec.limits.disk_bytes})
        return replace(spec, language="", limits=limits, profile=profile, layer=layer)

    async def create(self, spec: SandboxSpec) -> ContainedSandbox:
        """A fresh sandbox. Raises UnsupportedError, NotFoundError for a layer or dataset that is gone, EngineError."""
        if self._closing:
            raise EngineError("The engine is shutting down.")
        if spec.network not in self.capabilities.networks:
            raise UnsupportedError("The engine 'gvisor' gives programs no network.", field="allow_network")
        # Loading takes longer than a program that imports it: for who waits it is not worth it.
        modules = self._config.profiles.get(spec.profile, ()) if spec == self.stock_spec(spec) else ()
        return await self._make(spec, modules)

    async def _make(self, spec: SandboxSpec, modules: tuple[str, ...]) -> ContainedSandbox:
        added, hold = self._added(spec)
        name = secrets.token_hex(8)
        try:
            groups = SandboxGroups(self._groups, f"cell-{name}")
            groups.hold(STOCK_LIMITS)
        except OSError as error:
            _close(hold)
            raise EngineError(f"The control groups of a sandbox could not be made: {error.strerror}.") from None
        place = self._place / name
        keeper = GvisorKeeper(place, groups, lambda: self._forget_sandbox(name, hold))
        self._shown[name] = spec.layer or spec.data
        try:
            async with self._starting:
                await asyncio.to_thread(bundle.make_bundle, self._config, self._tree, place, added)
                await keeper.start(self._runsc.run(place))
                sandbox = ContainedSandbox(name, spec.limits, LinkConnection(keeper.link), keeper)
                self._sandboxes[name] = sandbox
                return await self._get_ready(
                    sandbox, keeper, groups, bundle.first_message(self._seccomp, spec, modules)
                )
        except OSError as error:
            await keeper.aclose()
            raise EngineError(f"A sandbox could not be started: {error.strerror or error}.") from error
        except BaseException:
            await keeper.aclose()
            raise

    async def _get_ready(
        self, sandbox: ContainedSandbox, keeper: GvisorKeeper, groups: SandboxGroups, first: dict[str, Any]
    ) -> ContainedSandbox:
        try:
            guest = await sandbox.ready(first, READY_SECONDS)
            sentry = keeper.sentry()
            if sentry is None:
                raise EngineError("A sandbox could not be made: its kernel is gone.")
            sandbox.isolation = isolation_of(sentry, guest, self._runsc, self._groups.version)
            await asyncio.to_thread(groups.note_base)
            await keeper.hold(sandbox.limits)
        except EngineError as error:
            self._config.on_event("sandbox_failed")
            await sandbox.aclose()
            raise EngineError(f"{error.detail} {keeper.words()}".strip()) from error
        except BaseException:
            await sandbox.aclose()
            raise
        sandbox.charged_bytes = groups.base_bytes
        return sandbox

    def _added(self, spec: SandboxSpec) -> tuple[list[bundle.Bind], int | None]:
        """What one sandbox sees besides what all do, and a lock on it. Raises UnsupportedError, NotFoundError."""
        if spec.data:
            return [(str(datasets.place_of(self._config.state_dir, spec, self._gone)), DATA_AT)], None
        return tree.layer_binds(self._config.layers, spec.layer), self._hold(spec.layer)

    def _hold(self, layer: str) -> int | None:
        """Lock a layer's directory against removal. Raises NotFoundError when it is gone."""
        if layer in ("", NEW_LAYER):
            return None
        if layer in self._gone:
            raise NotFoundError("That prebuilt environment is gone.", field="image")
        held = locks.hold(self._config.layers / layer)
        if held is None:
            raise NotFoundError("That prebuilt environment is gone.", field="image")
        return held

    def _forget_sandbox(self, name: str, hold: int | None) -> None:
        _close(hold)
        self._sandboxes.pop(name, None)
        self._shown.pop(name, None)

    async def runtimes(self, names: Collection[str] = LANGUAGES) -> Mapping[str, str | None]:
        """Language -> version, None for one whose program is not on this host. Asked inside a sandbox."""
        return await versions(self, names)

    async def forget(self, name: str) -> None:
        """Make no more sandboxes with this layer or dataset, and return when the last one is gone."""
        self._gone.add(name)
        while name in self._shown.values():  # noqa: ASYNC110  # sandboxes announce it to others
            await asyncio.sleep(LEAVING_SECONDS)
        # Without a record nobody asks for it, and the same data may come again.
        self._gone.discard(name)

    async def aclose(self) -> None:
        """End every sandbox, and remove our control groups."""
        self._closing = True
        await asyncio.gather(*[sandbox.aclose() for sandbox in list(self._sandboxes.values())])
        self._groups.close()
        for _ in range(REMOVAL_TRIES):
            if self._groups.remove():
                break
            await asyncio.sleep(LEAVING_SECONDS)
        await asyncio.to_thread(shutil.rmtree, self._place, ignore_errors=True)


def _close(hold: int | None) -> None:
    if hold is not None:
        os.close(hold)


def _prepare_groups(config: GvisorConfig) -> tuple[cgroup.CgroupTree, tuple[Problem, ...]]:
    try:
        return cgroup.prepare(config.cgroup_parent, FAMILY), ()
    except cgroup.NoCgroup as none:
        if "cgroup" in config.floor and not config.accept_rlimits:
            raise HostError(
                f"This host is below the isolation floor; {none.problem.reason}: {none.problem.fix}."
            ) from none
        return cgroup.CgroupTree("none"), (none.problem,)


def _nothing(*problems: Problem) -> Capabilities:
    empty: frozenset[str] = frozenset()
    return Capabilities(engine="gvisor", limits=empty, networks=frozenset(), layers=empty, problems=problems)
