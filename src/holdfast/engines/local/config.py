"""What the operator decides about the local engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from holdfast.engines import SandboxSpec
from holdfast.engines.host import datasets
from holdfast.types import Destination

LAYERS = ("namespaces", "seccomp", "cgroup", "landlock", "separate_users")


def _ignore(event: str) -> None:
    del event


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """Settings of one engine. `floor` names the layers without which it refuses to start.

    `accept_rlimits` lets it start without control groups; every result then says so. `on_event` hears of
    `launcher_restart`. `profiles` are launchers with modules loaded in advance, by name; the empty name is the plain
    interpreter, which always exists, and those `on_demand` start when they are first asked for. `network_allow` and
    `network_resolvers` say what programs with a network may reach besides public addresses (see `network`).
    `toolchains` is where Holdfast installed languages, `layers` where finished layers are, each a directory of its
    name. `compiled` cells are made by cell.c where it could be compiled. A cell in stock goes on making
    ready when nobody has asked for it in so many `calm_milliseconds`; of the profiles in `read_ahead` it then reads so
    many bytes of its dataset.
    """

    state_dir: Path
    guest_env: Path
    toolchains: Path
    layers: Path
    floor: frozenset[str] = frozenset({"namespaces", "seccomp", "cgroup"})
    accept_rlimits: bool = False
    compiled: bool = True
    calm_milliseconds: int = 100
    allow_network: bool = False
    network_allow: tuple[Destination, ...] = ()
    network_resolvers: tuple[IPv4Address, ...] = ()
    cgroup_parent: str | None = None
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on_demand: frozenset[str] = frozenset()
    read_ahead: Mapping[str, int] = field(default_factory=dict)
    on_event: Callable[[str], None] = field(default=_ignore, compare=False)

    def calm_milliseconds_of(self, spec: SandboxSpec) -> int:
        """With packages loaded, what a cell can do before its job is worth much, and it does that at once."""
        return 0 if spec.profile else self.calm_milliseconds

    @property
    def datasets(self) -> Path:
        """Where datasets are, each a directory of its digest."""
        return datasets.directory(self.state_dir)
