"""`holdfast prebuild`: the prebuilt environments of this machine, or of a server.

A server that runs here knows of changes at once.
"""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from holdfast.app import open_app, open_prebuilds
from holdfast.cli import running
from holdfast.cli.calling import client_of
from holdfast.client import AsyncClient, Client
from holdfast.errors import BuildFailedError, EngineError, NotFoundError
from holdfast.execution.names import shown
from holdfast.languages import LANGUAGES, SEED_PREFIX
from holdfast.prebuilds.wanted import tag_of
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging
from holdfast.types import OPERATOR, BuiltEvent, Event, OutputEvent, Prebuild, PrebuildRequest, Prebuilds

FAILED = 1


def wanted(tag: str, base: str, script: str, files: Sequence[str], *, shared: bool, network: bool) -> PrebuildRequest:
    """The request that a command line means. Raises typer.BadParameter."""
    try:
        return PrebuildRequest(
            tag=tag,
            base_image=base,
            setup_script=running.text(script, "--script"),
            files=dict(map(running.input_file, files)),
            shared=shared,
            allow_network=network or None,
        )
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise typer.BadParameter(f"{fault['loc'][0]}: {fault['msg']}") from None


async def build(settings: Settings, request: PrebuildRequest, *, as_json: bool) -> int:
    """Build it and show what the script writes; 1 when the script failed."""
    configure_logging("warning", settings.log_format)
    try:
        async with _started(settings, request) as events:
            async for event in events:
                if isinstance(event, OutputEvent):
                    print(event.text, end="", file=sys.stderr, flush=True)
                if isinstance(event, BuiltEvent):
                    _tell(event.prebuild, as_json=as_json)
                    return 0
    except BuildFailedError as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return FAILED
    raise EngineError("The build ended without a result.")


@asynccontextmanager
async def _started(settings: Settings, request: PrebuildRequest) -> AsyncIterator[AsyncIterator[Event | BuiltEvent]]:
    if settings.server is not None:
        fields = {name: getattr(request, name) for name in PrebuildRequest.model_fields}
        async with client_of(settings, AsyncClient) as client, client.stream_prebuild(**fields) as events:
            yield aiter(events)
        return
    network = "on" if request.allow_network else settings.prebuild_network
    base = request.base_image.removeprefix(SEED_PREFIX)
    alone = settings.model_copy(update={"prebuild_network": network})
    async with (
        open_app(alone, {base} & LANGUAGES.keys()) as app,
        aclosing(app.prebuilds.stream(request, OPERATOR)) as events,
    ):
        yield events


def show(settings: Settings, *, as_json: bool) -> None:
    """Print all of them."""
    if settings.server is not None:
        with client_of(settings, Client) as client:
            found = client.prebuilds()
    else:
        store = open_prebuilds(settings)
        found = Prebuilds(prebuilds=tuple(map(store.seen, store.records())))
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    table = Table(Column("tag", overflow="fold"), "base", "size", "made", "last used")
    for each in found.prebuilds:
        table.add_row(each.tag, each.base_image, _size(each), f"{each.created:%Y-%m-%d}", f"{each.last_used:%Y-%m-%d}")
    hint = "There are no prebuilt environments; make one with: holdfast prebuild build TAG --script FILE"
    Console().print(table if found.prebuilds else hint)


def remove(settings: Settings, tag: str) -> None:
    """Forget one. Raises InvalidFieldError, NotFoundError."""
    name = tag_of(tag)
    if settings.server is not None:
        with client_of(settings, Client) as client:
            client.delete_prebuild(name)
    else:
        store = open_prebuilds(settings)
        if store.get(name) is None:
            raise NotFoundError(f"There is no prebuilt environment {shown(tag)}.", field="tag")
        store.remove(name)
        store.sweep()
    print(f"The prebuilt environment '{name}' is removed; its files go when no run uses them.")


def clean_up(settings: Settings, max_age_days: float, *, as_json: bool) -> None:
    """Forget what was not used for so long."""
    if settings.server is not None:
        with client_of(settings, Client) as client:
            removed = [tag_of(tag) for tag in client.clean_up_prebuilds(max_age_days=max_age_days).removed]
    else:
        store = open_prebuilds(settings)
        removed = [record.tag for record in store.unused(timedelta(days=max_age_days))]
        for tag in removed:
            store.remove(tag)
        store.sweep()
    if as_json:
        print(json.dumps({"removed": removed, "count": len(removed)}))
        return
    print(f"Removed {len(removed)}: {', '.join(removed)}." if removed else "Nothing is that old.")


def _tell(prebuild: Prebuild, *, as_json: bool) -> None:
    if as_json:
        print(prebuild.model_dump_json(indent=2))
        return
    name = prebuild.tag.removeprefix("prebuilt-")
    print(f"Ready: '{name}' ({_size(prebuild)}); run programs in it with: holdfast run FILE --language {name}")


def _size(prebuild: Prebuild) -> str:
    size = prebuild.size_bytes
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{size / (1 << 10):.1f} KiB"
