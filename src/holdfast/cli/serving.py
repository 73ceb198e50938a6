"""`holdfast serve`: uvicorn around the API, with an orderly end."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType

import anyio
import uvicorn

from holdfast import __version__
from holdfast.api import create_api
from holdfast.app import App, open_server
from holdfast.errors import ConfigurationError
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging

DRAIN_SECONDS = 12.0
"""How long running programs may still take after SIGTERM; with what follows the process ends within 20 s."""

CONNECTION_SECONDS = 3
BACKLOG = 1024


class Server(uvicorn.Server):
    """Stops in order: new requests get 503 while running ones are answered, then the sockets close."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._holdfast = app
        self._patience = anyio.CancelScope()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM, and do not raise them again: ending in order is success."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks for an orderly end, the second for an immediate one."""
        if self.should_exit:
            self._patience.cancel()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and only then say so: from here on a signal ends it in order."""
        await super().startup(sockets)
        _announce(self._holdfast, sockets or [])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain while still listening, then stop."""
        self._holdfast.tasks.drain()
        with self._patience:
            await self._holdfast.executor.drain(DRAIN_SECONDS)
        await super().shutdown(sockets)


async def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises ConfigurationError, HostError, StorageFullError."""
    configure_logging(settings.log_level, settings.log_format)
    with bound(settings.host, settings.port) as listener:
        async with open_server(settings) as app:
            await answer(app, listener)
    print("holdfast: stopped.", file=sys.stderr)


async def answer(app: App, listener: socket.socket) -> None:
    """Answer requests until told to stop."""
    config = uvicorn.Config(
        create_api(app),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=CONNECTION_SECONDS,
    )
    # What is here now stays: a collection that walks through it would only make a request wait.
    gc.collect()
    gc.freeze()
    await Server(config, app).serve(sockets=[listener])


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises ConfigurationError when the address cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror:
        raise ConfigurationError(f"'{host}' is not an address to listen on.") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What is accepted has it too. Without it the body of an answer waits 40 ms for its head to be acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(_why_not(host, port, error)) from None
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is already in use; stop what uses it or choose another with --port."
    return f"Port {port} on {host} cannot be used: {error.strerror}."


def _announce(app: App, listeners: list[socket.socket]) -> None:
    engine = app.executor.engine.capabilities
    layers = ", ".join(sorted(engine.layers)) or "no isolation"
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        print(f"Holdfast {__version__} listens on {address} ({engine.engine}: {layers}).", file=sys.stderr, flush=True)
