"""Programs in any language on any engine, below the executor: what the contract and the attacks need of it."""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.engines import Command, Engine, Exited, Output, SandboxSpec
from holdfast.errors import RuntimeNotAvailableError
from holdfast.execution import how_to_add
from holdfast.execution.requests import COMPILING, shipped
from holdfast.languages import DRIVER, LANGUAGES, PRODUCT, Language

PATIENT = COMPILING.model_copy(update={"wall_seconds": 120})
_OF_THE_TREE = ("/opt/holdfast", "/tmp")
_compiled: dict[tuple[str, str, str], bytes] = {}


class LanguageMissingError(Exception):
    """An engine has not got the language; the sentence says how to add it."""


async def language_of(engine: Engine, name: str) -> Language:
    """The language, if the engine has it. Raises LanguageMissingError."""
    language = LANGUAGES[name]
    missing = LanguageMissingError(
        f"{language.title} is not installed here; run: {how_to_add(language, engine.capabilities)}"
    )
    try:
        said, _ = await _run(engine, language, Command(language.version, environment_of(engine, language)))
    except RuntimeNotAvailableError:
        raise missing from None
    if said.exit_code != 0:
        raise missing
    return language


async def command_of(engine: Engine, name: str, code: str, *args: str) -> Command:
    """The command that runs `code`, compiled if need be. Raises LanguageMissingError."""
    language = await language_of(engine, name)
    driver = {DRIVER: shipped(language.driver)} if language.driver else {}
    files = {language.main_file: code.encode(), **driver}
    command = Command((*language.run, *args), environment=environment_of(engine, language), files=files)
    if not language.compile:
        return command
    program = await _program(engine, language, files)
    return replace(command, environment={}, files={**files, PRODUCT: program}, executables=frozenset({PRODUCT}))


async def _program(engine: Engine, language: Language, files: Mapping[str, bytes]) -> bytes:
    key = (engine.capabilities.engine, language.name, files[language.main_file].decode())
    if key not in _compiled:
        command = Command(
            language.compile,
            environment_of(engine, language),
            files=files,
            wall_seconds=120,
            returns={PRODUCT: 64 << 20},
        )
        exited, printed = await _run(engine, language, command)
        if PRODUCT not in exited.returned:
            raise LanguageMissingError(f"{language.title} does not compile here: {printed.decode()[-300:]}")
        _compiled[key] = exited.returned[PRODUCT]
    return _compiled[key]


async def _run(engine: Engine, language: Language, command: Command) -> tuple[Exited, bytes]:
    sandbox = await engine.create(SandboxSpec(language.name, PATIENT))
    printed = b""
    try:
        async with sandbox.exec(command) as process:
            async for event in process:
                if isinstance(event, Output):
                    printed += event.data
                else:
                    return event, printed
    finally:
        await sandbox.aclose()
    raise LanguageMissingError("The run ended without a verdict.")


def environment_of(engine: Engine, language: Language) -> Mapping[str, str]:
    """Without isolation there is no tree, and what points into it would be made on the host."""
    if engine.capabilities.layers:
        return language.environment
    return {name: value for name, value in language.environment.items() if not value.startswith(_OF_THE_TREE)}
