"""The jobs that are measured, and what else on this machine can do them."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import StartupError
from holdfast.settings import Settings
from holdfast.testing.bench.client import post
from holdfast.testing.bench.docker import docker_program
from holdfast.testing.bench.server import CLEAN_PATH
from holdfast.testing.bench.spawning import Program

WARM, COLD = "Holdfast, warm", "Holdfast, cold"
BARE, XARGS = "bare process", "bare process, by xargs"
BARE_SYSTEM = "bare process, the system's Python"
BWRAP, DOCKER = "bubblewrap", "docker run"

PRINT, PANDAS, NODE = "print(1)", "the pandas job (10,000 rows, group, print)", "node, console.log(1)"
BWRAP_FLAGS = ("--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--")
PUBLISHED_DOCKER_P50 = 222.0
"""`docker run` of the same program on another day; for orientation where there is no docker, never for a ratio."""

_ROWS, _GROUPS = 10_000, 10
_PANDAS = """import pandas
table = pandas.read_csv({path!r})
for name, total in table.groupby("name")["value"].sum().items():
    print(name, total)
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One program: as a request, and as the processes that do the same without Holdfast."""

    name: str
    request: bytes
    stdout: str
    peers: Mapping[str, Program]


@dataclass(frozen=True, slots=True)
class Jobs:
    """What can be measured here; `absent` says what cannot, and why."""

    print: Job
    pandas: Job
    node: Job | None
    absent: tuple[str, ...]


def find_jobs(settings: Settings, folder: Path, at_the_end: ExitStack) -> Jobs:
    """Look around on this machine; files that peers read are written into `folder`. Raises StartupError."""
    absent: list[str] = []
    printing = _print(settings, absent, at_the_end)
    return Jobs(printing, _pandas(settings, folder, absent), _node(folder, absent), tuple(absent))


def system_python() -> str:
    """The system's own interpreter: another one may carry start-up files that make the peer look slow."""
    found = next((name for name in ("python3.11", "python3") if Path("/usr/bin", name).exists()), None)
    if found is None:
        raise StartupError("There is no /usr/bin/python3 to compare with; install it with: sudo apt install python3.")
    return f"/usr/bin/{found}"


def _print(settings: Settings, absent: list[str], at_the_end: ExitStack) -> Job:
    stdout = "1\n"
    bare = Program((system_python(), "-I", "-c", PRINT), stdout)
    bwrap = Program(("/usr/bin/bwrap", *BWRAP_FLAGS, *bare.command), stdout)
    peers = {BARE: bare}
    if bwrap.works():
        peers[BWRAP] = bwrap
    else:
        absent.append(f"{BWRAP}: /usr/bin/bwrap is missing or cannot make a sandbox here")
    docker = docker_program(bare, settings.docker_socket, at_the_end)
    if isinstance(docker, Program):
        peers[DOCKER] = docker
    else:
        absent.append(f"{DOCKER}: {docker}")
    return Job(PRINT, post("/run", {"code": PRINT}), stdout, peers)


def _pandas(settings: Settings, folder: Path, absent: list[str]) -> Job:
    values = [(f"group-{row % _GROUPS}", row * 7919 % 1_000_003) for row in range(_ROWS)]
    table = "name,value,note\n" + "".join(f"{name},{value},row {value}\n" for name, value in values)
    totals: dict[str, int] = {}
    for name, value in values:
        totals[name] = totals.get(name, 0) + value
    stdout = "".join(f"{name} {total}\n" for name, total in sorted(totals.items()))

    data, script = folder / "data.csv", folder / "job.py"
    data.write_text(table)
    script.write_text(_PANDAS.format(path=str(data)))
    bare = Program((str(settings.guest_environment / "bin" / "python"), "-I", str(script)), stdout)
    if not bare.works():
        raise StartupError("The environment of programs has no working pandas; make it with: holdfast setup")
    peers = {BARE: bare}
    system = Program((system_python(), "-I", str(script)), stdout)
    if system.works():
        peers[BARE_SYSTEM] = system
    else:
        absent.append(f"{BARE_SYSTEM}, with pandas: {system_python()} has none")
    request = post("/run", {"code": _PANDAS.format(path=data.name), "files": {data.name: table}})
    return Job(PANDAS, request, stdout, peers)


def _node(folder: Path, absent: list[str]) -> Job | None:
    node = shutil.which("node", path=CLEAN_PATH)
    if node is None:
        absent.append(f"{NODE}: there is no node in {CLEAN_PATH}")
        return None
    script = folder / "main.js"
    script.write_text("console.log(1)\n")
    request = post("/run", {"code": script.read_text(), "image": "node"})
    return Job(NODE, request, "1\n", {BARE: Program((node, str(script)), "1\n")})
