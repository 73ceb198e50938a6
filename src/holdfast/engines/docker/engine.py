"""The Docker engine: makes containers with a pid 1 of ours in them, and has them removed."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiodocker import Docker
from aiodocker.containers import DockerContainer

from holdfast.engines import SandboxSpec
from holdfast.engines.control.container import ContainedSandbox
from holdfast.engines.control.link import LinkConnection
from holdfast.engines.docker import accounting, sentry
from holdfast.engines.docker.config import GUEST_LABEL, SAME_IMAGE, DockerConfig, guest_digest
from holdfast.engines.docker.container import KeptContainer
from holdfast.engines.docker.creation import environment, options
from holdfast.engines.docker.daemon import ANSWER_SECONDS, AbsentError, answering, connect, is_podman
from holdfast.engines.docker.derived import DerivedImages
from holdfast.engines.docker.leftovers import Instance
from holdfast.engines.docker.link import AttachedLink
from holdfast.engines.docker.removal import Removals
from holdfast.engines.host.runtimes import versions
from holdfast.engines.host.seccomp import compile_filter
from holdfast.errors import EngineError, HostError, UnsupportedError
from holdfast.guest.init import NAMESPACE_NAMES
from holdfast.languages import DEFAULT_LANGUAGE, LANGUAGES
from holdfast.types import Capabilities, Isolation, Limits, Network, Problem

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
_LIMITS = frozenset(
    {
        *("wall_seconds", "output_bytes", "disk_bytes", "open_files", "cpu_seconds"),
        *("memory_bytes", "processes", "cpu_shares", "cpus"),
    }
)
_BUILD_IMAGES = "run: holdfast images build"


class DockerEngine:
    """Containers on a Docker daemon. Make one with `DockerEngine.open`."""

    def __init__(self, config: DockerConfig, docker: Docker, instance: Instance, about: Mapping[str, Any]) -> None:
        self._config = config
        self._docker = docker
        self._instance = instance
        self._cgroup = accounting.version_of(about)
        self._podman = is_podman(about)
        self._removals = Removals()
        self._derived = DerivedImages(config, docker)
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
            problem = Problem(layer="namespaces", reason=error.detail, fix="see the reason")
            none: frozenset[Any] = frozenset()
            return Capabilities(engine=config.name, limits=none, networks=none, layers=none, problems=(problem,))

    def _check_runtime(self, about: Mapping[str, Any]) -> None:
        known = about.get("Runtimes") or {}
        if self._config.runtime and self._config.runtime not in known:
            raise HostError(
                f"Docker knows no runtime '{self._config.runtime[:80]}', only: {', '.join(sorted(known))}; "
                "add it to the 'runtimes' of Docker's daemon.json."
            )

    async def _remove_leftovers(self) -> None:
        with answering("asked for left-over containers"):
            found = await self._docker.containers.list(
                all=1, filters=f'{{"label": ["{self._instance.of_this_state}"]}}'
            )
        for container in found:
            if self._instance.is_left_over(container["Labels"]):
                self._removals.remove(container)

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
                f"{', '.join(sorted(missing))}."
            )
        networks = {Network.NONE, *([Network.FULL] if self._config.network else [])}
        return Capabilities(
            engine=self._config.name,
            limits=_LIMITS,
            networks=frozenset(networks),
            layers=frozenset(layers),
            cgroup=isolation.cgroup,
        )

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        """Limits of single processes and of time can still be set; what Docker holds a container to cannot."""
        limits = spec.limits.model_copy(
            update={"wall_seconds": 0, "output_bytes": 0, "open_files": 0, "cpu_seconds": None}
        )
        profile = spec.profile if spec.profile in self._config.profiles else ""
        return replace(spec, language=SAME_IMAGE.get(spec.language, spec.language), limits=limits, profile=profile)

    async def create(self, spec: SandboxSpec) -> ContainedSandbox:
        """A fresh container. Raises UnsupportedError, EngineError, NotFoundError for a layer that is gone."""
        if spec.network not in self.capabilities.networks | {Network.NONE}:
            raise UnsupportedError("Network access is not enabled on this server.", field="allow_network")
        if self._removals.closing:
            raise EngineError("The engine is closed.")
        container, link = await self._launch(spec)
        connection = LinkConnection(link)
        self._removals.expect(container, connection.close)
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

    async def _launch(self, spec: SandboxSpec) -> tuple[DockerContainer, AttachedLink]:
        """A container that runs, with its streams in our hands."""
        container = await self._create(spec)
        self._removals.expect(container)
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
        return container, link

    async def _create(self, spec: SandboxSpec) -> DockerContainer:
        image = self._derived.name(spec.language, spec.layer) if spec.layer else self._config.image(spec.language)
        request = options(self._config, spec, image, self._instance.labels, podman=self._podman)
        try:
            return await self._ask_for(request)
        except AbsentError:
            if not spec.layer:
                raise EngineError(f"Docker has no image '{image}'; {_BUILD_IMAGES}") from None
        await self._derived.make(spec.language, spec.layer)
        return await self._ask_for(request)

    async def _ask_for(self, request: Mapping[str, Any]) -> DockerContainer:
        with answering("making a container"):
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._docker.containers.create(dict(request))

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
            keeper.ledger = sentry.Ledger(state["Pid"], self._cgroup)
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
            cgroup=self._cgroup if foreign or reading["cgroup"] else "none",
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
        tags = {tag for image in found for tag in image["RepoTags"] or ()}
        present = [name for name in names if self._config.image(name) in tags]
        return await versions(self, present)

    async def forget(self, layer: str) -> None:
        """Remove the images of a layer; no sandbox of it is in use any more."""
        await self._derived.forget(layer)

    async def aclose(self) -> None:
        """End every container, and return when all are gone or the daemon is."""
        await self._removals.aclose()
