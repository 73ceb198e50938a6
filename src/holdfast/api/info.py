"""What the server says about itself: health, languages, metrics."""

from pathlib import Path
from typing import Literal

import anyio
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from holdfast import __version__
from holdfast.api.exchange import app_of, json_of
from holdfast.execution import Executor, how_to_add
from holdfast.languages import DEFAULT_LANGUAGE, LANGUAGES, Language
from holdfast.types import Enforced, Health, Network, Runtime, Runtimes

_DOCKER_PATIENCE_SECONDS = 0.5


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


async def healthz(request: Request) -> Response:
    """Whether the process answers; nothing is looked at."""
    return json_of(Alive())


async def health(request: Request) -> Response:
    """What the server is, how it is, and what it enforces."""
    app = app_of(request)
    capabilities = app.executor.engine.capabilities
    answer = Health(
        status="degraded" if app.degraded else "ok",
        version=__version__,
        engine=capabilities.engine,
        auth_enabled=bool(app.keys.all()),
        docker_connected=await docker_answers(app.settings.docker_socket),
        enforced=Enforced(
            layers=sorted(capabilities.layers),
            limits=sorted(capabilities.limits),
            networks=sorted(capabilities.networks if app.settings.allow_network else {Network.NONE}),
            cgroup=capabilities.cgroup,
            landlock=capabilities.landlock,
        ),
    )
    return json_of(answer)


async def runtimes(request: Request) -> Response:
    """The languages a run can name."""
    app = app_of(request)
    images = [_runtime(language, app.executor) for language in LANGUAGES.values()]
    return json_of(Runtimes(images=images, default=LANGUAGES[DEFAULT_LANGUAGE].id))


async def metrics(request: Request) -> Response:
    """Numbers in the Prometheus text format."""
    app = app_of(request)
    return Response(app.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


async def docker_answers(socket: Path) -> bool:
    """Whether a Docker daemon answers on its socket."""
    try:
        with anyio.fail_after(_DOCKER_PATIENCE_SECONDS):
            async with await anyio.connect_unix(socket) as stream:
                await stream.send(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                return b" 200 " in await stream.receive(64)
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False


def _runtime(language: Language, executor: Executor) -> Runtime:
    version = executor.runtimes.get(language.name)
    return Runtime(
        id=language.id,
        name=language.title,
        description=language.description,
        default_entrypoint=language.default_entrypoint,
        file_extension=language.file_extension,
        main_file=language.main_file,
        ready=version is not None,
        version=version,
        install=how_to_add(language, executor.engine.capabilities),
    )
