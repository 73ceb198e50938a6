"""The process that makes a layer's files on the host. It can see nothing but the empty directory it fills.

The server starts it with the archive as stdin and the directory as a descriptor. It gives up everything first: the
host's files, its user, every capability, the network, and most system calls.
"""

from __future__ import annotations

import json
import os
import resource
import sys

from holdfast.guest import syscalls
from holdfast.guest.archive import Refused, Unpacker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAMESPACES = syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS


def unpack_here(config_text: str) -> None:
    """Fill the directory; the outcome is one JSON line on stdout."""
    config = json.loads(config_text)
    outcome: dict[str, Any]
    try:
        _lock_in(config)
        root = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with os.fdopen(0, "rb", buffering=1 << 20) as stream:
            unpacker = Unpacker(root, stream, config["max_bytes"])
            unpacker.unpack()
        outcome = {"size": unpacker.size, "entries": unpacker.entries}
    except Refused as refused:
        outcome = {"refused": str(refused)}
    except OSError as error:
        outcome = {"failed": error.strerror or str(error), "errno": error.errno}
    os.write(1, json.dumps(outcome).encode() + b"\n")
    sys.exit(0)


def _lock_in(config: dict[str, Any]) -> None:
    os.fchdir(config["directory"])
    os.umask(0o022)
    _leave_the_host(config["uid"])
    syscalls.close_fds_from(3)
    for name, most in (("FSIZE", config["max_bytes"]), ("NPROC", 0), ("NOFILE", 64), ("CORE", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    syscalls.load_seccomp(bytes.fromhex(config["seccomp"]))


def _leave_the_host(uid: int | None) -> None:
    """As root become a user of no other use; else root of an empty user namespace, and then of nothing."""
    if uid is None:
        own = (os.getuid(), os.getgid())
        syscalls.unshare(syscalls.CLONE_NEWUSER | _NAMESPACES)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {own[0]} 1"), ("gid_map", f"0 {own[1]} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    else:
        syscalls.unshare(_NAMESPACES)
    os.chroot(".")
    syscalls.drop_bounding_set()
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
