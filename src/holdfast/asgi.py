"""`uvicorn holdfast.asgi:app`: the same service under the same refusal rules as `holdfast serve`."""

from contextlib import AsyncExitStack

from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast.api import create_api
from holdfast.app import open_server
from holdfast.errors import HoldfastError
from holdfast.settings import load_settings
from holdfast.telemetry import configure_logging


class Service:
    """An ASGI application that opens Holdfast when its server starts and closes it when the server stops."""

    def __init__(self) -> None:
        self._api: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._api is None:
            raise RuntimeError("the ASGI server must run the lifespan protocol (uvicorn: --lifespan on)")
        await self._api(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                settings = load_settings()
                configure_logging(settings.log_level, settings.log_format)
                self._api = create_api(await stack.enter_async_context(open_server(settings)))
            except HoldfastError as error:
                await send({"type": "lifespan.startup.failed", "message": error.detail})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self._api = None
        await send({"type": "lifespan.shutdown.complete"})


app = Service()
