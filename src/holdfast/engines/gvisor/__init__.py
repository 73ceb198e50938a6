"""The gVisor engine: a kernel in user space between a program and the host's.

Theory of operation
===================

`runsc` is run directly, without a container runtime above it, once per sandbox, on a bundle of the same read-only binds
that the local engine shows its programs (`bundle`)::

    server ──(stdin and stdout: exec, kill, read, write, input / output, verdict)──> runsc run ──> sentry
       │                                                                                             │ gVisor's kernel
       └──(control groups of the host: memory, processors, tasks, account)                           pid 1 ──> guest

Pid 1 (`guest.contained`) is a Python interpreter that has started, and whose child waits for its job: so a sandbox in
stock answers at once. It mounts one capped tmpfs in gVisor's memory for everything a program can write.

What holds a program: gVisor's kernel answers its system calls and has its own file systems, processes and (no) network;
on the host the sentry runs in namespaces of its own under a seccomp filter that runsc installs. Memory and processors
are limited by a control group of the host around everything that belongs to the sandbox (`keeper`), open files and
processes by gVisor's kernel, the disk by the size of the tmpfs.

What kills what: the end of pid 1's stdin ends pid 1, and with it the sandbox; so a server that dies takes its sandboxes
along. `runsc run` ends its sentry and its file server with itself. What is left of a server that was killed (state
files, empty groups) is removed at the next start (`leftovers`).
"""

from holdfast.engines.gvisor.config import GvisorConfig
from holdfast.engines.gvisor.engine import GvisorEngine

__all__ = ["GvisorConfig", "GvisorEngine"]
