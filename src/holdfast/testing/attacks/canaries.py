"""What is planted on the host before an attack, and looked at afterwards: the ground truth of a verdict."""

import asyncio
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from holdfast.testing.attacks import inside

IPC_CREATE = 0o1000
IPC_REMOVE = 0
SHM_BYTES = 4096
QUEUE_FLAGS = os.O_CREAT | os.O_RDWR | os.O_NONBLOCK


def new_secret() -> str:
    """A string that a program can recognise, but not guess."""
    return f"hf-secret-{secrets.token_hex(16)}"


class Listener:
    """A socket on this host that counts who comes, and greets callers with the secret."""

    def __init__(self, sock: socket.socket, secret: str, file: int | None = None) -> None:
        self.sock = sock
        self.received: list[bytes] = []
        self._greeting = secret.encode()
        self._file = file
        self._stream = sock.type == socket.SOCK_STREAM
        if self._stream:
            sock.listen()
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock, self._hit)

    @property
    def port(self) -> int:
        """The port of an internet socket."""
        return int(self.sock.getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self.sock)
        self.sock.close()

    def _hit(self) -> None:
        with suppress(OSError):
            if not self._stream:
                self.received.append(self.sock.recv(4096))
                return
            caller, _ = self.sock.accept()
            with caller:
                self.received.append(b"connection")
                if self._file is None:
                    caller.sendall(self._greeting)
                else:
                    socket.send_fds(caller, [b"here"], [self._file])


def listen(
    stack: ExitStack, family: int, kind: int, address: tuple[str, int] | str, secret: str, file: int | None = None
) -> Listener | None:
    """A listener that is closed with the stack; None where this host has no such address."""
    sock = socket.socket(family, kind)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        return None
    listener = Listener(sock, secret, file)
    stack.callback(listener.close)
    return listener


def own_address() -> str:
    """The address this host would call others from; its loopback when it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@contextmanager
def bystander(secret: str, secret_file: Path, marker: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the host with secrets in its environment, memory and descriptor 0, which an attack may kill."""
    argv = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)", marker, f"--password={secret}"]
    with secret_file.open("rb") as file:
        process = subprocess.Popen(argv, stdin=file, env={"BYSTANDER_SECRET": secret})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def environment_variable(name: str, value: str) -> Iterator[None]:
    """A secret in the environment of the server itself."""
    os.environ[name] = value  # noqa: TID251 -- planted, not read
    try:
        yield
    finally:
        os.environ.pop(name, None)  # noqa: TID251


@contextmanager
def open_descriptor(path: Path) -> Iterator[int]:
    """A descriptor of the server that was forgotten to be closed on exec."""
    descriptor = os.open(path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def shared_memory(key: int, secret: str) -> Iterator[None]:
    """A System V segment that anyone may read; nothing where the kernel has none."""
    with suppress(OSError):
        segment = inside.syscall("shmget", key, SHM_BYTES, IPC_CREATE | 0o666)
        address = inside.syscall("shmat", segment, 0, 0)
        ctypes.memmove(address, secret.encode(), len(secret))
        inside.syscall("shmdt", address)
    try:
        yield
    finally:
        forget_ipc(key)


def forget_ipc(key: int) -> None:
    """Remove the System V objects of a key, whoever made them."""
    for get, control, sizes in (("shmget", "shmctl", (0, 0)), ("msgget", "msgctl", (0,)), ("semget", "semctl", (0, 0))):
        with suppress(OSError):
            found = inside.syscall(get, key, *sizes)
            inside.syscall(control, found, *((0,) if get == "semget" else ()), IPC_REMOVE, 0)


@contextmanager
def message_queue(name: str, secret: str) -> Iterator[None]:
    """A POSIX message queue with the secret as its message; nothing where the kernel has none."""
    with suppress(OSError):
        queue = inside.syscall("mq_open", name.encode(), QUEUE_FLAGS, 0o666, None)
        inside.syscall("mq_timedsend", queue, secret.encode(), len(secret), 0, None)
        os.close(queue)
    try:
        yield
    finally:
        with suppress(OSError):
            inside.syscall("mq_unlink", name.encode())


def processes_with(token: str) -> list[int]:
    """The processes of this host that carry `token` in their arguments or their environment, without this one."""
    found = []
    for pid in inside.pids():
        for what in ("cmdline", "environ"):
            with suppress(OSError):
                if token.encode() in inside.read(f"/proc/{pid}/{what}"):
                    found.append(pid)
                    break
    return found


def end_processes_with(token: str) -> None:
    """Kill what outlived its sandbox."""
    for pid in processes_with(token):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
