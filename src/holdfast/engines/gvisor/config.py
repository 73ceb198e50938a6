"""What the operator decides about the gVisor engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAYERS = ("namespaces", "seccomp", "cgroup", "separate_users")


def _ignore(event: str) -> None:
    del event


@dataclass(frozen=True, slots=True)
class GvisorConfig:
    """Settings of one engine; names mean what they mean in `LocalConfig`.

    `profiles` are modules that sandboxes for the stock have loaded, by name. `on_event` hears of `sandbox_failed`.
    """

    state_dir: Path
    guest_env: Path
    toolchains: Path
    layers: Path
    floor: frozenset[str] = frozenset({"namespaces", "seccomp", "cgroup"})
    accept_rlimits: bool = False
    cgroup_parent: str | None = None
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on_event: Callable[[str], None] = field(default=_ignore, compare=False)
