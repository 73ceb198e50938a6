"""A helper process of ours: how it is started, spoken with over one socket, and ended.

What it is told is a description in memory; everything else goes over the socket, whose end is the end of the process.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.engines.host import tree

START_SECONDS = 30.0
END_SECONDS = 2.0
_MESSAGE_BYTES = 1 << 16
_STAGE = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.{module} import {function} as go; go({fd})"


async def spawn(
    module: str, function: str, config: Mapping[str, Any], descriptors: Sequence[int], *, stdio: int, within: str = ""
) -> tuple[asyncio.subprocess.Process, socket.socket]:
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
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", stage, str(tree.library_root())),
            stdin=stdio,
            stdout=stdio,
            stderr=asyncio.subprocess.PIPE,
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

    def __init__(self, process: asyncio.subprocess.Process, server_socket: socket.socket) -> None:
        self._process = process
        self._socket = server_socket
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.dead = False
        self._loop.add_reader(server_socket, self._on_readable)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Wait until it serves. Raises TimeoutError, EngineError."""
        async with asyncio.timeout(START_SECONDS):
            await self._ready

    async def last_words(self) -> str:
        """The last line it wrote to stderr; empty if there is none."""
        stderr = self._process.stderr
        text = (await stderr.read()).decode(errors="replace").strip() if stderr else ""
        return text.splitlines()[-1] if text else ""

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
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
