"""What the read-only tree of the cells is made of on this host: binds, links, and the environment of programs."""

import glob
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import holdfast.guest
from holdfast import toolchains
from holdfast.engines import NEW_LAYER
from holdfast.languages import ENVIRONMENT_AT, INSTALLER_AT, LAYER_AT, LIBRARY_AT, SYSTEM_PATH, TOOLS_AT

HOOK_AT = f"{LIBRARY_AT}/holdfast/guest/hook"

PATH = f"{ENVIRONMENT_AT}/bin:{SYSTEM_PATH}"
BASE_ENVIRONMENT = {
    "PATH": PATH,
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "USER": "guest",
    "LOGNAME": "guest",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""What every program finds in its environment, besides what its request adds.

Numeric libraries are single-threaded, because a launcher that has loaded them must have no threads, and because
programs share few processors.
"""


LAYER_ENVIRONMENT = {
    "PATH": f"{ENVIRONMENT_AT}/bin:{LAYER_AT}/bin:{SYSTEM_PATH}",
    "PYTHONPATH": f"{LIBRARY_AT}/holdfast/guest/layered",
    "NODE_PATH": f"{LAYER_AT}/node_modules:{LAYER_AT}/lib/node_modules",
}
"""What programs with a layer find besides: its programs, but never another `python`, and its packages."""

LAYER_LINKS = {"node_modules": f"{LAYER_AT}/node_modules"}
"""JavaScript modules look for packages in this directory beside their own or above; the topmost is above them all."""


class StartedProgram(NamedTuple):
    """A program that can be started before its job is known: how, and which commands it then serves."""

    argv: tuple[str, ...]
    serves: tuple[str, ...]


STARTED_PROGRAMS = {
    "node": StartedProgram(
        argv=("node", "--require", f"{LIBRARY_AT}/holdfast/guest/warm.js", "main.js"), serves=("node", "main.js")
    ),
}
"""By profile."""

_TOP_LEVEL = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_FROM_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ssl/certs", "fonts", "mime.types")
_TOOLS = ("node",)


def library_root() -> Path:
    """The directory on the host that contains the package `holdfast`."""
    return Path(holdfast.guest.__file__).resolve().parents[2]


def binds(guest_env: Path, installed: Path) -> list[tuple[str, str]]:
    """Host path and path in the tree of everything programs can see."""
    found = [("/usr", "/usr")]
    found += [(f"/{name}", f"/{name}") for name in _TOP_LEVEL if _is_real_directory(f"/{name}")]
    found += [
        (str(guest_env), ENVIRONMENT_AT),
        (str(library_root() / "holdfast/guest"), f"{LIBRARY_AT}/holdfast/guest"),
    ]
    base = os.path.realpath(sys.base_prefix)
    if not base.startswith("/usr/") and base != "/usr":
        found.append((base, base))
    found += toolchains.binds(installed)
    ours = toolchains.links(installed)
    found += [(path, f"{TOOLS_AT}/{name}") for name, path in tools().items() if name not in ours]
    return found


def installer_binds() -> list[tuple[str, str]]:
    """Host path and path in the tree of pip, if the server's own interpreter or the one below it has it."""
    spec = importlib.util.find_spec("pip")
    if spec is not None and spec.origin is not None:
        return [(os.path.dirname(spec.origin), f"{INSTALLER_AT}/pip")]
    shipped = importlib.util.find_spec("ensurepip")
    beside = os.path.dirname(shipped.origin or "") if shipped else "/nonexistent"
    places = ["/usr/share/python-wheels", f"{beside}/_bundled"]
    wheels = [path for place in places for path in sorted(glob.glob(f"{place}/pip-*.whl"))]
    # A wheel is an archive, from which Python can import.
    return [(wheels[-1], INSTALLER_AT)] if wheels else []


def layer_binds(layers: Path, layer: str) -> list[tuple[str, str]]:
    """Host path and path in the tree of what a layer adds, or of what makes one."""
    if layer == NEW_LAYER:
        return installer_binds()
    return [(str(layers / layer), LAYER_AT)] if layer else []


def copies() -> list[tuple[str, str]]:
    """Host path and path in the tree of small configuration programs need."""
    return [(f"/etc/{name}", f"/etc/{name}") for name in _FROM_ETC if os.path.exists(f"/etc/{name}")]


def links(installed: Path) -> dict[str, str]:
    """The host's top-level links (/bin -> usr/bin on merged systems), and one for each program of a toolchain."""
    found = {name: os.readlink(f"/{name}") for name in _TOP_LEVEL if os.path.islink(f"/{name}")}
    programs = toolchains.links(installed)
    return found | {f"{TOOLS_AT}/{name}".lstrip("/"): path for name, path in programs.items()}


def tools() -> dict[str, str]:
    """Single-file programs found outside /usr, by name."""
    found = {}
    for name in _TOOLS:
        path = shutil.which(name)
        if path is not None:
            real = os.path.realpath(path)
            if not real.startswith("/usr/") and _is_elf(real):
                found[name] = real
    return found


def _is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def _is_real_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
