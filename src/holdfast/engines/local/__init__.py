"""The local engine: isolation on plain Linux, without a container runtime.

Theory of operation
===================

Three kinds of process, each trusted less than the one before::

    server ──(socket: create, kill / ready, failed, gone)──> launcher
       │                                                        │ clone into new namespaces and a control group
       ├──(control socket: exec, kill, read, write / verdict)─> pid 1 of a cell
       │                                                        │ fork
       └──(stdin, stdout, stderr: plain pipes)────────────────> guest ── the untrusted program

*Server* (this package): asyncio; never forks itself. Chooses limits as data (`cgroup`, `seccomp`, `tree`), sends them,
and listens. It never opens a path a guest controls.

*Launcher* (`guest.launcher`): started once by `guest.tree` inside a read-only tree of binds. It is an interpreter
stopped just before it would run `main.py`; it has never run guest code and holds no secrets. It makes cells by cloning
itself, writes their id maps, makes their control groups, and reports when one is gone: when its pid namespace is empty.

*Cell*: a single-use sandbox. Its pid 1 (`guest.init`) mounts a capped tmpfs and a fresh /proc, drops what it can, and
keeps one guest waiting: a child with another uid, no capabilities, no_new_privs, rlimits, Landlock and a seccomp filter
already in force (`guest.guest`). The job arrives over the control socket; the guest becomes the program; pid 1 reaps,
enforces time, kills everything when the program ends, collects artifacts with the guest's rights, and judges.

*Gateway* (`guest.gateway`): only where programs may have a network. A namespace with rules (`network`) and one way out,
to which the server joins each cell that is to have one, after its pid 1 has handed over the descriptor of its network
namespace. The host's own network is not changed; when the gateway ends, so do the cells that were joined to it.

*Layers* (`launchers`, `unpacking`): what a prebuilt environment adds to the tree. A launcher sees one tree, so a layer
in use has launchers of its own; they never load anything from it. A build is a cell with one more writable place; what
it leaves is packed in the cell and unpacked by a process that sees nothing but the new layer's directory.

What kills what: the control socket's end of file ends pid 1, and the kernel ends a pid namespace with its pid 1. The
server's death closes all control sockets and the launcher's socket; the launcher's death kills every pid 1
(PR_SET_PDEATHSIG). So nothing outlives the server, whoever dies first.
"""

from holdfast.engines.local.config import LocalConfig
from holdfast.engines.local.engine import LocalEngine

__all__ = ["LocalConfig", "LocalEngine"]
