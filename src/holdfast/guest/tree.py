"""Builds the read-only tree that programs see and turns this process into the launcher inside it.

The server starts it outside the tree, with descriptors and a JSON description; it unshares, mounts, pivots and execs
the guest interpreter. Nothing of the host remains reachable but what `binds` lists.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from typing import Any

from holdfast.guest import syscalls
from holdfast.guest.frames import marshalled

_DIRECTORIES = (
    "proc",
    "dev",
    "dev/shm",
    "workspace",
    "tmp",
    "etc",
    "run",
    "var",
    "opt/holdfast/bin",
    "opt/holdfast/layer",
)
_LINKS = {
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
    "var/tmp": "/tmp",
    "var/run": "/run",
}
RESOLV_CONF = "opt/holdfast/resolv.conf"
"""What a cell with a network has as /etc/resolv.conf, if there are such cells."""

_READ_ONLY = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
_DEVICES = ("null", "zero", "full", "random", "urandom")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/usr/sbin/nologin\nguest:x:1000:1000:guest:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\nguest:x:1000:\n",
    "etc/hosts": "127.0.0.1 localhost holdfast\n::1 localhost\n",
    "etc/hostname": "holdfast\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/resolv.conf": "",
}


def become_launcher(config_fd: int) -> None:
    """Build the tree and exec the launcher in it. Never returns; a failure is one line on stderr and exit code 1."""
    with os.fdopen(config_fd) as file:
        config = json.load(file)
    step = "start"
    try:
        step = "user namespace"
        if config["rootless"]:
            _enter_user_namespace(config["uid_range"])
        step = "mount namespace"
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
        # The name of every cell, which begins with a copy of this namespace.
        socket.sethostname("holdfast")
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        step = "tree"
        _build(config["root"], config)
        step = "launcher"
        _exec_launcher(config)
    except OSError as error:
        sys.exit(json.dumps({"step": step, "error": f"{error.strerror or error}", "path": error.filename}))


def _enter_user_namespace(uid_range: list[int] | None) -> None:
    """Become root of a new user namespace: with a range of ids if the user owns one, else with only their own."""
    uid, gid, pid = os.getuid(), os.getgid(), os.getpid()
    if uid_range is None:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        return
    mapper = _start_mapper(pid, uid, gid, uid_range)
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    _, error = mapper.communicate(b"go\n", timeout=10)
    if mapper.returncode != 0:
        raise OSError(1, f"newuidmap refused: {error.decode().strip()}")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _start_mapper(pid: int, uid: int, gid: int, uid_range: list[int]) -> "subprocess.Popen[bytes]":
    """A helper that stays outside, where newuidmap must run, and writes our maps once we are inside."""
    start, count = uid_range[0], uid_range[1]
    gid_start, gid_count = uid_range[2], uid_range[3]
    script = (
        f"read go && newuidmap {pid} 0 {uid} 1 1 {start} {count} && newgidmap {pid} 0 {gid} 1 1 {gid_start} {gid_count}"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen(["/bin/sh", "-c", script], stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe)


def _build(root: str, config: dict[str, Any]) -> None:
    syscalls.mount(
        "holdfast", root, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "size=32m,nr_inodes=16384,mode=755"
    )
    os.umask(0o022)
    make_skeleton(root, config)
    for device in _DEVICES:
        _bind(f"/dev/{device}", f"{root}/dev/{device}", devices=True)
    for source, target in config["binds"]:
        _show(source, root, target)
    syscalls.mount("/proc", f"{root}/proc", None, syscalls.MS_BIND | syscalls.MS_REC)
    os.chdir(root)
    syscalls.pivot_root_here()
    os.chdir("/workspace")
    syscalls.make_read_only("/", recursive=False)


def make_skeleton(root: str, config: dict[str, Any]) -> None:
    """The tree without what is mounted there: `files`, `links` and `copies` of the description."""
    for name in _DIRECTORIES:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name, text in (_FILES | config["files"]).items():
        with open(f"{root}/{name}", "w") as file:
            file.write(text)
    for name, target in (_LINKS | config["links"]).items():
        os.symlink(target, f"{root}/{name}")
    for source, target in config["copies"]:
        _copy(source, root + target)


def _copy(source: str, target: str) -> None:
    """Small configuration is copied, so that programs hold no inode of it."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)


def _show(source: str, root: str, target: str) -> None:
    """Let a host directory appear read-only, where possible through an overlay.

    Locking a file needs no right to write it; a lock taken through an overlay is not one on the host's file.
    """
    if os.path.isdir(source):
        os.makedirs(root + target, exist_ok=True)
        # Named through descriptors, because programs can read these options in their mount table.
        layers = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in (source, f"{root}/run")]
        lower = ":".join(f"/proc/self/fd/{fd}" for fd in layers)
        try:
            syscalls.mount("overlay", root + target, "overlay", _READ_ONLY, f"lowerdir={lower}")
            return
        except OSError:
            pass
        finally:
            for fd in layers:
                os.close(fd)
    _bind(source, root + target)


def _bind(source: str, target: str, *, devices: bool = False) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o644))
    syscalls.mount(source, target, None, syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.make_read_only(target, devices=devices)


def _exec_launcher(config: dict[str, Any]) -> None:
    launcher = os.memfd_create("launcher", 0)
    os.write(launcher, marshalled(config["launcher"]))
    os.lseek(launcher, 0, os.SEEK_SET)
    keep = [launcher, config["launcher"]["socket"], *config["launcher"]["cgroup"]["hierarchies"]]
    syscalls.close_fds_from(3, keep)
    for fd in keep:
        os.set_inheritable(fd, True)
    _forget_signals()
    environment = config["environment"] | {config["config_variable"]: str(launcher)}
    os.execve(config["interpreter"], config["argv"], environment)


def _forget_signals() -> None:
    """What the one who started the server ignores or blocks, as `nohup` does, is not to reach programs."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def own_id_range(path: str, uid: int) -> tuple[int, int] | None:
    """The first range of a subuid file that belongs to a user: start and count."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    try:
        with open(path) as file:
            lines = [line.strip().split(":") for line in file if line.count(":") == 2]
    except OSError:
        return None
    for owner, start, count in lines:
        if owner in (name, str(uid)):
            return int(start), int(count)
    return None
