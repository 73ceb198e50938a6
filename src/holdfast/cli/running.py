"""`holdfast run`: one program in an engine of this process, or on a server."""

import base64
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from holdfast.app import open_app, open_prebuilds
from holdfast.cli.calling import client_of
from holdfast.client import AsyncClient
from holdfast.errors import EngineError
from holdfast.execution.names import check_path
from holdfast.languages import DEFAULT_LANGUAGE, LANGUAGES, find_language
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging
from holdfast.types import (
    OPERATOR,
    Artifact,
    CompiledEvent,
    DisplayEvent,
    Event,
    ExitedEvent,
    File,
    GradeEvent,
    OutputEvent,
    RunRequest,
    RunResult,
    Status,
)

_ENDINGS = {language.file_extension: name for name, language in reversed(LANGUAGES.items())} | {
    ".mjs": "node",
    ".cjs": "node",
    ".js": "node",
}

_SENTENCES = {
    Status.TIMED_OUT: "the program was ended at its time limit",
    Status.OUT_OF_MEMORY: "the program needed more memory than its limit",
    Status.OUTPUT_LIMIT: "the program was ended because it wrote far more than its output limit",
    Status.DISK_LIMIT: "the program wrote more files than its disk limit",
    Status.CANCELLED: "the program was ended before it was done",
    Status.COMPILE_FAILED: "the program did not compile",
}


def build(
    file: str,
    language: str | None,
    *,
    stdin: str | None,
    env: Sequence[str],
    files: Sequence[str],
    options: Mapping[str, Any],
) -> RunRequest:
    """The request that a command line means. Raises typer.BadParameter."""
    if file == "-" and stdin == "-":
        raise typer.BadParameter("the program and its input cannot both come from stdin", param_hint="--stdin")
    image, given = language or _language_of(file), dict(map(input_file, files))
    code, main_file = text(file, "FILE"), _main_file_of(file, image)
    body = {
        "code": None if main_file else code,
        "image": image,
        "stdin": text(stdin, "--stdin") if stdin else "",
        "environment": dict(_assignment(pair) for pair in env),
        "files": given | {main_file: code} if main_file else given,
        **options,
    }
    try:
        return RunRequest.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        option = str(fault["loc"][0]).replace("_", "-")
        raise typer.BadParameter(f"{option}: {fault['msg'].removeprefix('Value error, ')}") from None


async def run(request: RunRequest, settings: Settings, *, as_json: bool, out: Path | None) -> int:
    """Run it, show what it writes as it is written, and return its exit code."""
    configure_logging("warning", settings.log_format)
    async with _started(request, settings) as events:
        async for event in events:
            if isinstance(event, CompiledEvent) and not as_json:
                print(event.compile.stdout + event.compile.stderr, end="", file=sys.stderr, flush=True)
            if isinstance(event, OutputEvent) and not as_json:
                _show(event)
            if isinstance(event, ExitedEvent):
                return _finish(event.result, as_json=as_json, out=out)
    raise EngineError("The sandbox ended without a verdict.")


async def run_in_session(session_id: str, code: str, seconds: float | None, settings: Settings) -> int:
    """Run code in a session of a server, show what it writes and displays, and return its exit code."""
    async with client_of(settings, AsyncClient) as client:
        async with client.attach(session_id).stream(code, timeout=seconds) as events:
            async for event in events:
                if isinstance(event, OutputEvent):
                    _show(event)
                if isinstance(event, DisplayEvent):
                    data = event.display.data
                    print(data.get("text/plain") or f"({', '.join(data)})", flush=True)
        for note in events.result.notes:
            print(f"holdfast: {note}", file=sys.stderr)
        return events.result.exit_code


@asynccontextmanager
async def _started(request: RunRequest, settings: Settings) -> AsyncIterator[AsyncIterator[Event | GradeEvent]]:
    if settings.server is not None:
        async with client_of(settings, AsyncClient) as client, client.stream(request) as events:
            yield aiter(events)
        return
    async with open_app(settings, {language_of(request.image, settings)}) as app:
        using = app.prebuilds.using(request, OPERATOR)
        async with using as placed, aclosing(app.executor.stream(placed)) as events:
            yield events


def language_of(image: str, settings: Settings) -> str:
    """The language an image means, also in a prebuilt environment. Raises UnknownLanguageError."""
    record = open_prebuilds(settings).find(image)
    return find_language(image if record is None else record.base_image).name


def _finish(result: RunResult, *, as_json: bool, out: Path | None) -> int:
    if as_json:
        print(result.model_dump_json(indent=2))
    else:
        explain(result)
    if out is not None:
        for artifact in result.artifacts:
            _save(artifact, out)
    return result.exit_code


def _show(event: OutputEvent) -> None:
    stream = sys.stdout.buffer if event.stream == "stdout" else sys.stderr.buffer
    stream.write(event.text.encode())
    stream.flush()


def explain(result: RunResult) -> None:
    """Say on stderr what the exit code does not."""
    sentences = list(result.notes)
    if result.status in _SENTENCES:
        sentences.append(_SENTENCES[result.status])
    if result.truncated.stdout or result.truncated.stderr:
        sentences.append("output beyond the limit was dropped")
    for sentence in sentences:
        print(f"holdfast: {sentence.rstrip('.')}.", file=sys.stderr)


def _save(artifact: Artifact, folder: Path) -> None:
    # The program chose this name: it passes the same rules as a name that comes in.
    check_path(artifact.path, field="artifacts")
    target = folder / artifact.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(artifact.content())
    print(f"holdfast: wrote {target}", file=sys.stderr)


def _language_of(file: str) -> str:
    ending = Path(file).suffix
    if file == "-":
        return DEFAULT_LANGUAGE
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    raise typer.BadParameter(f"the ending of '{file}' tells no language; use --language", param_hint="FILE")


def _main_file_of(file: str, image: str) -> str | None:
    """What the program has to be called where its ending means another kind of program: TypeScript to Node.js."""
    language = LANGUAGES.get(image)
    name = f"main{Path(file).suffix}"
    return name if language is not None and name in language.also else None


def _bytes(path: str, hint: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"'{path}' cannot be read: {error.strerror}", param_hint=hint) from None


def text(path: str, hint: str) -> str:
    """What a file, or stdin for '-', says. Raises typer.BadParameter."""
    try:
        return _bytes(path, hint).decode()
    except UnicodeDecodeError:
        raise typer.BadParameter(f"'{path}' is not UTF-8 text", param_hint=hint) from None


def _assignment(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise typer.BadParameter(f"'{name[:40]}' has no '='; write NAME=VALUE", param_hint="--env")
    return name, value


def input_file(given: str) -> tuple[str, File]:
    """`PATH[:NAME]` as a file of a request. Raises typer.BadParameter."""
    path, _, name = given.partition(":")
    return name or Path(path).name, File(base64=base64.b64encode(_bytes(path, "--file")).decode())
