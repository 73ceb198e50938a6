"""The Docker engine: makes containers with a pid 1 of ours in them, and has them removed."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aiodocker import Docker
from aiodocker.containers import DockerContainer

from holdfast.engines import SandboxSpec
from holdfast.engines.control.container import ContainedSandbox
from holdfast.engines.control.link import LinkConnection
from holdfast.engines.docker import accounting, sentry
from holdfast.engines.docker.config import GUEST_LABEL, SAME_IMAGE, DockerConfig, bare, guest_digest, tags_of
from holdfast.engines.docker.container import KeptContainer
from holdfast.engines.docker.creation import environment, options
from holdfast.engines.docker.daemon import ANSWER_SECONDS, AbsentError, answering, connect, is_podman
from holdfast.engines.docker.derived import DerivedImages
from holdfast.engines.docker.leftovers import Instance
from holdfast.engines.docker.link import AttachedLink
from holdfast.engines.docker.removal import Living, Removals
from holdfast.engines.host.runtimes import versions
from holdfast.engines.host.seccomp import compile_filter
from holdfast.errors import EngineError, HostError, RuntimeNotAvailableError, UnsupportedError
from holdfast.guest.init import NAMESPACE_NAMES
from holdfast.languages import DEFAULT_LANGUAGE, LANGUAGES
from holdfast.types import Capabilities, Isolation, Limits, Network, Problem

_NEEDS = "docs/guide/docker.md says what the daemon needs"
READY_SECONDS = 60.0
_PROBE_LIMITS = Limits(
    wall_seconds=30,
    memory_bytes=256 << 20,
    disk_bytes=64 << 20,
    output_bytes=1 << 20,
    processes=64,
    open_files=1024,
    cpu_shares=512,
)
_LIMITS = frozenset({"wall_seconds", "output_bytes", "disk_bytes", "open_files", "cpu_seconds"})
"""What is held to without control groups."""

_OF_THE_LAYER = frozenset({"memory_bytes", "processes"})
"""Without these limits control groups hold nobody."""

_NO_NETWORKS = ("host", "null")
"""The drivers of what Docker calls the network of the host itself, and none."""

_BUILD_IMAGES = "run: holdfast images build"


class DockerEngine:
    """Containers on a Docker daemon. Make one with `DockerEngine.open`."""

    def __init__(self, config: DockerConfig, docker: Docker, instance: Instance, about: Mapping[str, Any]) -> None:
        self._config = config
        self._docker = docker
        self._instance = instance
        self._cgroup = accounting.version_of(about)
        self._held = accounting.limits_of(about, host_swaps=_host_swaps())
        self._podman = is_podman(about)
        self._removals = Removals()
        self._derived = DerivedImages(config, docker, instance.owner)
        self._seccomp = compile_filter(shared_user=False).hex()
        self._outside = {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACE_NAMES}
        empty: frozenset[Any] = frozenset()
        self.capabilities = Capabilities(engine=config.name, limits=empty, networks=empty, layers=empty)

    @classmethod
    @asynccontextmanager
    async def open(cls, config: DockerConfig) -> AsyncIterator["DockerEngine"]:
        """Start an engine and try it out. Raises HostError when there is no daemon, no image, or a layer missing."""
        async with connect(config.socket) as docker:
            with answering("asked what it is"):
                about = await docker.system.info()
            instance = Instance(config.state_dir)
            engine = cls(config, docker, instance, about)
            try:
                engine._check_runtime(about)
                await engine._check_network()
                await engine._remove_leftovers()
                await engine._start()
                yield engine
            finally:
                await engine.aclose()
                instance.close()

    @classmethod
    async def probe(cls, config: DockerConfig) -> Capabilities:
        """What this daemon can enforce, without any floor."""
        try:
            async with cls.open(replace(config, floor=frozenset())) as engine:
                return engine.capabilities
        except (HostError, EngineError) as error:
            problem = Problem(layer="namespaces", reason=error.detail, fix=_NEEDS)
            none: frozenset[Any] = frozenset()
            return Capabilities(engine=config.name, limits=none, networks=none, layers=none, problems=(problem,))

    def _check_runtime(self, about: Mapping[str, Any]) -> None:
        known = about.get("Runtimes") or {}
        if self._config.runtime and self._config.runtime not in known:
            raise HostError(
                f"Docker knows no runtime '{self._config.runtime[:80]}', only: {', '.join(sorted(known))}; "
                "add it to the 'runtimes' of Docker's daemon.json."
            )

    async def _check_network(self) -> None:
        """Whether programs may have the network of the settings. Raises HostError."""
        name = self._config.network
        if not name:
            return
        try:
            with answering("asked for a network"):
                found = await (await self._docker.networks.get(name)).show()
        except AbsentError:
            raise HostError(
                f"Docker has no network '{name[:80]}' (HOLDFAST_DOCKER_NETWORK); make one: docker network create"
            ) from None
        if found["Driver"] in _NO_NETWORKS:
            raise HostError(
                f"'{name[:80]}' is no network for programs (HOLDFAST_DOCKER_NETWORK); make one of their own."
            )

    async def _remove_leftovers(self) -> None:
        with answering("asked for left-over containers"):
            ours = [f"{name}={value}" for name, value in self._instance.owner.items()]
            found = await self._docker.containers.list(all=1, filters=json.dumps({"label": ours}))
        for container in found:
            if self._instance.is_left_over(container["Labels"]):
                self._removals.remove(container)
        # One may have a container that is still being removed, and goes with the next start.
        with suppress(EngineError):
            await self._derived.remove_orphans()

    async def _start(self) -> None:
        """Make one container, and see what holds it; all our promises follow from that."""
        await self._check_image(self._config.image(DEFAULT_LANGUAGE))
        try:
            sandbox = await self.create(SandboxSpec(DEFAULT_LANGUAGE, _PROBE_LIMITS))
        except EngineError as error:
            raise HostError(f"Docker cannot make sandboxes here: {error.detail}") from error
        self.capabilities = self._judge(sandbox.isolation)
        await sandbox.aclose()

    async def _check_image(self, image: str) -> None:
        try:
            with answering(f"asked for the image {image}"):
                found = await self._docker.images.inspect(image)
        except AbsentError:
            raise HostError(f"Docker has no image '{image}'; {_BUILD_IMAGES}") from None
        if (found["Config"]["Labels"] or {}).get(GUEST_LABEL) != guest_digest():
            raise HostError(f"The image '{image}' was built for another version of Holdfast; {_BUILD_IMAGES}")

    def _judge(self, isolation: Isolation) -> Capabilities:
        """What we can promise, given what held the first container. Raises HostError below the floor."""
        layers = {name for name, holds in accounting.layers(isolation).items() if holds}
        missing = self._config.floor - layers
        if missing:
            raise HostError(
                "Docker does not enforce what is asked for here (HOLDFAST_ISOLATION_FLOOR): "
                f"{'; '.join([', '.join(sorted(missing)), *(problem.reason for problem in self._problems())])}."
            )
        networks = {Network.NONE, *([Network.FULL] if self._config.network else [])}
        return Capabilities(
            engine=self._config.name,
            limits=_LIMITS | self._held,
            networks=frozenset(networks),
            layers=frozenset(layers),
            cgroup=isolation.cgroup,
            adds_languages="holdfast images build {name}",
            problems=self._problems(),
        )

    def _problems(self) -> tuple[Problem, ...]:
        lacking = accounting.ALL - self._held
        if not lacking:
            return ()
        reason = f"this Docker daemon cannot hold containers to: {', '.join(sorted(lacking))}"
        return (Problem(layer="cgroup", reason=reason, fix="see the warnings of `docker info`"),)

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        """Limits of single processes and of time can still be set; what Docker holds a container to cannot."""
        limits = spec.limits.model_copy(
            update={"wall_seconds": 0, "output_bytes": 0, "open_files": 0, "cpu_seconds": None}
        )
        profile = spec.profile if spec.profile in self._config.profiles else ""
        return replace(spec, language=SAME_IMAGE.get(spec.language, spec.language), limits=limits, profile=profile)

    async def create(self, spec: SandboxSpec) -> ContainedSandbox:
        """A fresh container. Raises UnsupportedError, EngineError, NotFoundError for what it is to see and is gone."""
        if spec.network not in self.capabilities.networks | {Network.NONE}:
            raise UnsupportedError("Network access is not enabled on this server.", field="allow_network")
        if self._removals.closing:
            raise EngineError("The engine is closed.")
        container, living, link = await self._launch(spec)
        connection = LinkConnection(link)
        living.let_go = connection.close
        keeper = KeptContainer(container, self._removals, own_kernel=bool(self._config.runtime))
        sandbox = ContainedSandbox(container.id[:16], spec.limits, connection, keeper)
        try:
            reading = await sandbox.ready(self._pid1_config(spec), READY_SECONDS)
            sandbox.isolation = self._isolation(spec, reading, await self._sentry(container, keeper))
        except BaseException:
            sandbox.abandon()
            raise
        sandbox.charged_bytes = (await sandbox.usage()).memory_peak_bytes or 0
        return sandbox

    async def _launch(self, spec: SandboxSpec) -> tuple[DockerContainer, Living, AttachedLink]:
        """A container that runs, with its streams in our hands."""
        container = await self._create(spec)
        living = self._removals.expect(container)
        if spec.once and spec.data:
            living.afterwards = partial(self._derived.forget, spec.data)
        link = None
        try:
            with answering("starting a container"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    link = await AttachedLink.open(container)
                    await container.start()
        except BaseException:
            if link is not None:
                link.close()
            self._removals.remove(container)
            raise
        return container, living, link

    async def _create(self, spec: SandboxSpec) -> DockerContainer:
        image = self._config.image(spec.language)
        try:
            if spec.layer or spec.data:
                image = await self._derived.having(spec)
            request = options(self._config, spec, image, self._instance.labels, podman=self._podman)
            return await self._made(request)
        except AbsentError:
            raise RuntimeNotAvailableError(f"Docker has no image '{image}'; {_BUILD_IMAGES}") from None

    async def _made(self, request: dict[str, Any]) -> DockerContainer:
        """A container. The daemon also makes one that nobody waits for any more; that one is removed."""
        making = asyncio.create_task(self._docker.containers.create(request))
        try:
            with answering("making a container"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await asyncio.shield(making)
        except BaseException:
            self._removals.remove_once_made(making)
            raise

    def _pid1_config(self, spec: SandboxSpec) -> dict[str, Any]:
        modules = self._config.profiles.get(spec.profile, ())
        return {
            "modules": modules,
            "warm_up": 0 if modules else None,
            "environment": environment(spec),
            "seccomp": self._seccomp,
            **({} if self._config.runtime else accounting.pid1_config(self._cgroup)),
        }

    async def _sentry(self, container: DockerContainer, keeper: KeptContainer) -> sentry.Holds | None:
        """What holds a container that has a kernel of its own, and what keeps its account."""
        if not self._config.runtime:
            return None
        with answering("asked for the process of a container"):
            state = (await container.show())["State"]
        holds = sentry.read(state["Pid"], container.id)
        if holds is not None:
            try:
                keeper.ledger = sentry.Ledger(state["Pid"], self._cgroup)
            except OSError:
                raise EngineError("A sandbox could not be made: its kernel is gone; try again.") from None
        return holds

    def _isolation(self, spec: SandboxSpec, reading: Mapping[str, Any], holds: sentry.Holds | None) -> Isolation:
        """What pid 1 read back from the kernel, as a result says it; what only its own kernel says is no proof."""
        foreign = bool(self._config.runtime)
        seen = holds.namespaces if holds else {} if foreign else reading["namespaces"]
        filtered = holds.seccomp if holds else reading["seccomp"] and not foreign
        notes = (f"the kernel is that of the runtime {self._config.runtime}, in user space",) if foreign else ()
        return Isolation(
            engine=self._config.name,
            namespaces=tuple(
                name for name in NAMESPACE_NAMES if seen.get(name, self._outside[name]) != self._outside[name]
            ),
            seccomp="filter" if filtered else "none",
            cgroup=self._cgroup if self._held >= _OF_THE_LAYER and (foreign or reading["cgroup"]) else "none",
            landlock=None,
            network=spec.network,
            no_new_privileges=reading["no_new_privileges"],
            capabilities_dropped=reading["capabilities_dropped"],
            separate_users=reading["separate_users"],
            notes=notes,
        )

    async def runtimes(self, names: Collection[str] = LANGUAGES) -> Mapping[str, str | None]:
        """Language -> version, None for one that has no image. Asked inside a container."""
        with answering("asked for its images"):
            found = await self._docker.images.list(filters={"label": [f"{GUEST_LABEL}={guest_digest()}"]})
        tags = frozenset[str]().union(*map(tags_of, found))
        present = [name for name in names if bare(self._config.image(name)) in tags]
        return await versions(self, present)

    async def forget(self, name: str) -> None:
        """Remove the images of a layer or dataset, of which nobody makes sandboxes any more, once the last is gone."""
        await self._derived.forget(name)

    async def aclose(self) -> None:
        """End every container, and return when all are gone or the daemon is."""
        await self._removals.aclose()


def _host_swaps() -> bool:
    """Whether memory of this host, which is the daemon's, can go to a disk."""
    return len(Path("/proc/swaps").read_text().splitlines()) > 1
