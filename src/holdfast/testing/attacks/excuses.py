"""What an engine is known not to hold, each with the reason; once it does hold it, the excuse is an error."""

from collections.abc import Mapping

from holdfast.engines import Engine

_SOCKET_BUFFERS = "runtimes of containers do not bound the buffers of sockets on cgroup v1; on v2 they count as memory"

CANNOT_HOLD: Mapping[str, Mapping[str, str]] = {
    "docker": {
        "shares_the_user_namespace_of_the_host": "containers have one of their own only if the daemon remaps users",
    },
    "docker on cgroup v1": {
        "takes_more_memory_in_tcp_buffers": _SOCKET_BUFFERS,
        "takes_more_memory_in_udp_buffers": _SOCKET_BUFFERS,
    },
}
"""By engine, or by engine and version of control groups."""


def excuse(engine: Engine, attack: str) -> str | None:
    """Why this engine cannot hold an attack, if so declared."""
    name, cgroup = engine.capabilities.engine, engine.capabilities.cgroup
    declared = (CANNOT_HOLD.get(key, {}).get(attack) for key in (name, f"{name} on cgroup {cgroup}"))
    return next(filter(None, declared), None)
