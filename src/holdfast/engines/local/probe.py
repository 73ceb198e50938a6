"""Why a host cannot isolate, in words: the missing piece and the exact command that mends it."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from holdfast.types import Problem

_SWITCHES = (
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor forbids user namespaces to ordinary users",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "the kernel forbids user namespaces to ordinary users",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "user namespaces are switched off",
        "sudo sysctl -w user.max_user_namespaces=65536",
    ),
)
_IN_CONTAINER = (
    "inside a container, start it with: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    " --security-opt systempaths=unconfined --cap-add SYS_ADMIN"
)
_FIXES = {
    "namespaces": "run as root or enable user namespaces",
    "seccomp": "sudo apt install libseccomp2, on a kernel with CONFIG_SECCOMP_FILTER",
    "cgroup": "run as root or under systemd with Delegate=yes",
    "landlock": "boot with lsm=landlock,... in the kernel command line (Linux 5.13 or newer)",
    "separate_users": (
        "sudo apt install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"
    ),
}


def explain(step: str, reason: str) -> str:
    """One sentence about a launcher or trial cell that failed at `step`."""
    if step == "launcher":
        return f"The launcher did not start: {reason.rstrip('.')}."
    causes = [f"{cause}; run: {fix}" for path, value, cause, fix in _SWITCHES if _reads(path, value)]
    if in_container():
        causes.append(_IN_CONTAINER)
    hint = f" Likely cause: {'. Or: '.join(causes)}." if causes else ""
    return f"This host cannot isolate programs: {step} failed ({reason.rstrip('.')}).{hint}"


def below_floor(missing: Iterable[str], known: Mapping[str, Problem]) -> str:
    """One sentence naming each missing layer and what mends it."""
    parts = []
    for layer in sorted(missing):
        problem = known.get(layer)
        reason = f" ({problem.reason})" if problem else ""
        parts.append(f"{layer}{reason}: {problem.fix if problem else _FIXES[layer]}")
    return f"This host is below the isolation floor; missing {'; '.join(parts)}."


def advice(layers: Iterable[str]) -> tuple[Problem, ...]:
    """What is missing beyond the floor."""
    present = set(layers)
    return tuple(
        Problem(layer=layer, reason=f"{layer.replace('_', ' ')} is not available here", fix=_FIXES[layer])
        for layer in ("landlock", "separate_users")
        if layer not in present
    )


def has_newuidmap() -> bool:
    """Whether the set-uid helpers that hand out subordinate ids are installed."""
    return shutil.which("newuidmap") is not None and shutil.which("newgidmap") is not None


def in_container() -> bool:
    """Whether this looks like the inside of a container."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _reads(path: str, value: str) -> bool:
    try:
        return Path(path).read_text().strip() == value
    except OSError:
        return False
