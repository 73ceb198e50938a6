"""A helper process of ours: how it is started, spoken with over one socket, and ended.

What it is told is a description in memory; everything else goes over the socket, whose end is the end of the process.

It is not started by the event loop: uvloop copies the page tables of the server and then waits for the program to
begin, and nobody is answered meanwhile. `subprocess` shares the memory until then.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.engines.host import tree

START_SECONDS = 30.0
END_SECONDS = 2.0
_MESSAGE_BYTES = 1 << 16
_WORDS = 4096
_STAGE = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.{module} import {function} as go; go({fd})"


def spawn(
    module: str, function: str, config: Mapping[str, Any], descriptors: Sequence[int], *, stdio: int, within: str = ""
) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Start one in a function of a guest module; the process, and our end of its socket.

    It finds its end of the socket in the description, in the part `within` if there is one. `stdio` is what it has as
    stdin and stdout; what it writes to stderr is kept for its last words.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    description = os.memfd_create(module, 0)
    told: dict[str, Any] = {"socket": theirs.fileno()}
    if within:
        told = {within: {**config[within], **told}}
    os.write(description, json.dumps({**config, **told}).encode())
    os.lseek(description, 0, os.SEEK_SET)
    stage = _STAGE.format(module=module, function=function, fd=description)
    try:
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", "-c", stage, str(tree.library_root())),
            stdin=stdio,
            stdout=stdio,
            stderr=subprocess.PIPE,
            pass_fds=(description, theirs.fileno(), *descriptors),
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    except BaseException:
        ours.close()
        raise
    finally:
        os.close(description)
        theirs.close()
    return process, ours


class Helper:
    """A running one. `dead` once it has ended, of which everybody who waits for it hears in `_on_end`."""

    def __init__(self, process: "subprocess.Popen[bytes]", server_socket: socket.socket) -> None:
        if process.stderr is None:
            raise AssertionError("it was started with a pipe")
        self._process = process
        self._socket = server_socket
        self._stderr = process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._words = b""
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.dead = False
        self._loop.add_reader(server_socket, self._on_readable)
        self._loop.add_reader(self._stderr, self._on_words)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Wait until it serves. Raises TimeoutError, EngineError."""
        async with asyncio.timeout(START_SECONDS):
            await self._ready

    def last_words(self) -> str:
        """The last line it wrote to stderr; empty if there is none."""
        lines = self._words.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _on_message(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def _on_end(self) -> None:
        raise NotImplementedError

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._on_message(json.loads(data))
        else:
            self._bury()

    def _on_words(self) -> None:
        try:
            said = os.read(self._stderr.fileno(), _MESSAGE_BYTES)
        except BlockingIOError:
            return
        self._words = (self._words + said)[-_WORDS:]
        if not said:
            self._loop.remove_reader(self._stderr)

    def _bury(self) -> None:
        self._loop.remove_reader(self._socket)
        self.dead = True
        self._on_end()

    async def aclose(self) -> None:
        """End it, and with it all that depends on it."""
        if not self.dead:
            self._bury()
        self._socket.close()
        try:
            await self._ended()
        finally:
            self._close_streams()

    async def _ended(self) -> None:
        try:
            await asyncio.to_thread(self._process.wait, END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _close_streams(self) -> None:
        if self._stderr.closed:
            return
        self._on_words()
        self._loop.remove_reader(self._stderr)
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                stream.close()
