"""The same structures as in cell.c, and what they hold: the way from the launcher into that library and back."""

from __future__ import annotations

import ctypes
import marshal

from holdfast.guest import building, guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from holdfast.guest.groups import GroupFiles

GUEST, SERVE, SUPERVISE, CONCLUDE = -1, -2, -3, -4
NOT_MADE = -1000
NAMESPACE_NAMES = ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")
COUNTERS = ("memory_peak", "processes_peak", "oom_kills", "cpu_user", "cpu_system")
REASONS = (None, "wall", "cpu")
_HIERARCHIES, _RULES, _PLACES, _KNOBS, _VALUE_BYTES, _STREAMS = 16, 24, 24, 16, 32, 3
_INT, _LONG, _DOUBLE, _TEXT = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_char_p


class _Rule(ctypes.Structure):
    _fields_ = (("path", _TEXT), ("rights", ctypes.c_uint64))


class _Place(ctypes.Structure):
    _fields_ = (("source", _TEXT), ("target", _TEXT), ("mode", _INT), ("owned", _INT))


class _House(ctypes.Structure):
    _fields_ = (
        *[(name, _INT) for name in ("server", "cgroup_version", "hierarchies_count")],
        ("hierarchies", _INT * _HIERARCHIES),
        *[(name, _INT) for name in ("separate_users", "landlock", "rules_count", "places_count", "seccomp_count", "_")],
        *[(name, ctypes.c_uint64) for name in ("clone_flags", "file_rights", "scopes")],
        ("rules", _Rule * _RULES),
        ("places", _Place * _PLACES),
        ("seccomp", _TEXT),
        ("outside", _TEXT * len(NAMESPACE_NAMES)),
        ("counter_lines", _TEXT * len(COUNTERS)),
        ("cpu_unit_seconds", _DOUBLE),
    )


class State(ctypes.Structure):
    """A cell: what it is made of, and from `guest` on how far cell.c has brought it."""

    _fields_ = (
        *[(name, _TEXT) for name in ("name", "scratch")],
        *[(name, _INT) for name in ("go_read", "go_write", "control", "birthplace")],
        ("counters", _INT * len(COUNTERS)),
        ("knobs_count", _INT),
        ("knobs", _INT * _KNOBS),
        ("streams", _INT * _STREAMS),
        *[(name, _INT) for name in ("guest", "channel", "landlock", "workspace", "status", "reason")],
        *[
            (name, _DOUBLE)
            for name in ("received", "started", "ended", "deadline", "cpu_limit", "cpu_user", "cpu_system")
        ],
        ("oom_kills", _LONG),
        ("rest", ctypes.c_void_p),
        ("rest_bytes", _LONG),
        ("turned", (ctypes.c_char * _VALUE_BYTES) * _KNOBS),
    )

    def limits_turned(self, names: Iterable[str]) -> dict[str, str]:
        """The limits that are not any more what the cell was made with."""
        return {name: self.turned[at].value.decode() for at, name in enumerate(names) if self.turned[at].value}

    def rest_of_order(self) -> dict[str, Any]:
        """What the server said of the run beside its job."""
        told: dict[str, Any] = marshal.loads(ctypes.string_at(self.rest, self.rest_bytes))  # noqa: S302  # from the server
        return told


class Native:
    """Makes cells by means of the compiled library at `path`."""

    def __init__(self, path: str, config: dict[str, Any], server: int, hierarchies: list[int]) -> None:
        self._make = ctypes.PyDLL(path).make_cell
        self._owner = 0 if config["uid_base"] is not None else building.GUEST_UID
        self._house = _house(config, server, hierarchies)
        self._address = ctypes.byref(self._house)

    def state(
        self, message: dict[str, Any], name: str, files: GroupFiles, fds: tuple[int, ...], streams: Sequence[int]
    ) -> State:
        """What a new cell is made of. `fds`: the pipe for its start, its control socket, on v2 its group."""
        state = State()
        state.name = name.encode()
        state.scratch = building.scratch_options(message["disk"], self._owner).encode()
        state.go_read, state.go_write, state.control, state.birthplace = fds
        for at, key in enumerate(COUNTERS):
            state.counters[at] = files.usage.get(key, -1)
        state.knobs_count = len(files.knobs)
        state.knobs[: len(files.knobs)] = list(files.knobs.values())
        state.streams[:] = streams or [-1] * _STREAMS
        return state

    def clone(self, state: State) -> int:
        """The pid of the new cell's pid 1; in that process or its guest one of the codes. Raises OSError."""
        ctypes.pythonapi.PyOS_BeforeFork()
        result: int = self._make(self._address, ctypes.byref(state))
        if NOT_MADE < result < 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
            return result
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        if result <= NOT_MADE:
            raise OSError(NOT_MADE - result, "clone")
        return result


def suits(message: dict[str, Any]) -> bool:
    """Whether cell.c can make such a cell."""
    return not message["network"] and len(message["cgroup"]["writes"]) <= _KNOBS


def _house(config: dict[str, Any], server: int, hierarchies: list[int]) -> _House:
    house = _House()
    house.server = server
    house.cgroup_version = {"none": 0, "v1": 1, "v2": 2}[config["cgroup"]["version"]]
    house.hierarchies_count = len(hierarchies)
    house.hierarchies[: len(hierarchies)] = hierarchies
    house.separate_users = config["uid_base"] is not None
    house.clone_flags = config["clone_flags"]
    house.landlock = config["landlock"]
    house.file_rights, house.scopes, rules = guest.landlock_rules(config)
    house.rules_count = len(rules)
    for at, (path, rights) in enumerate(rules):
        house.rules[at] = _Rule(path.encode(), rights)
    places = building.places(config)
    house.places_count = len(places)
    for at, (source, mode, target, owned) in enumerate(places):
        house.places[at] = _Place(source.encode(), target.encode(), mode, owned)
    house.seccomp = config["seccomp"]
    house.seccomp_count = len(config["seccomp"]) // 8
    for at, name in enumerate(NAMESPACE_NAMES):
        house.outside[at] = config["namespaces_outside"][name].encode()
    for at, key in enumerate(COUNTERS):
        line = config["cgroup_usage_fields"].get(key)
        house.counter_lines[at] = None if line is None else line.encode()
    house.cpu_unit_seconds = config["cgroup_cpu_unit_seconds"]
    return house
