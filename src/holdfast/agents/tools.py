"""The tools of an agent: typed rows, each a name, what it is for, its parameters, and what it does.

Everything a tool touches is inside the sandbox of its task, or data it was given access to. Nothing here knows a model:
whoever runs one offers the rows that are enabled, and calls `use` with what the model wrote.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictBool, StrictInt, ValidationError

from holdfast.agents.workplace import Workplace
from holdfast.engines import WORKSPACE, Command, Exited, Output
from holdfast.errors import RequestError
from holdfast.execution.output import Capture
from holdfast.types import Frozen

TOOL_SECONDS = 60
MAX_TOOL_SECONDS = 600
MAX_OUTPUT_BYTES = 50_000
MAX_CONTENT_BYTES = 8 << 20
_CODE = ".holdfast/code"
_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    # As a program beside the files of the workspace, which it can import.
    "python": ("python", "-c", f"exec(compile(open('{WORKSPACE}/{_CODE}').read(), 'code.py', 'exec'))"),
    "node": ("node", f"{WORKSPACE}/{_CODE}"),
    "bash": ("bash", f"{WORKSPACE}/{_CODE}"),
}
_NOT_ENTERED = 125

Query = Callable[[str, str], Awaitable[str]]
"""Answers SQL about a dataset, as text; what is wrong with the question it raises as RequestError."""


class ToolError(Exception):
    """A tool could not do what it was asked; the sentence is for the model."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What tools act on. `masked` hides what must not be told; without `query` there are no data."""

    place: Workplace
    query: Query | None = None
    masked: Callable[[str], str] = lambda text: text
    environment: Mapping[str, str] | None = None


class _Parameters(Frozen):
    model_config = ConfigDict(frozen=True, extra="forbid")


Path = Annotated[str, Field(min_length=1, max_length=4096, description="Relative to /workspace, or below it.")]
_Line = Annotated[StrictInt, Field(ge=1)]


class ReadFile(_Parameters):
    """Which file, and which lines of it: they count from 1, and the last is included."""

    path: Path
    start_line: _Line | None = None
    end_line: _Line | None = None


class WriteFile(_Parameters):
    """What to write where."""

    path: Path
    content: str
    append: StrictBool = False


class ListFiles(_Parameters):
    """Which directory, or a pattern with `*`, `?` or `**`."""

    path: Path = "."
    recursive: StrictBool = False
    include_hidden: StrictBool = False
    max_results: Annotated[StrictInt, Field(ge=1, le=5_000)] = 200


class Grep(_Parameters):
    """A regular expression, as Python writes them, and where to look: `include` is a pattern for names."""

    pattern: Annotated[str, Field(min_length=1, max_length=2_000)]
    path: Path = "."
    include: Annotated[str, Field(max_length=500)] | None = None
    ignore_case: StrictBool = False
    max_results: Annotated[StrictInt, Field(ge=1, le=2_000)] = 100


class Shell(_Parameters):
    """A command for bash. What it leaves running ends with the call."""

    command: Annotated[str, Field(min_length=1, max_length=100_000)]
    working_directory: Path = "."
    timeout: Annotated[StrictInt, Field(ge=1, le=MAX_TOOL_SECONDS, description="Seconds.")] = TOOL_SECONDS


class RunCode(_Parameters):
    """A program, and the language it is in: python, node or bash."""

    code: Annotated[str, Field(min_length=1, max_length=1 << 20)]
    language: Annotated[str, Field(pattern=r"^(python|node|bash)$")] = "python"
    timeout: Annotated[StrictInt, Field(ge=1, le=MAX_TOOL_SECONDS, description="Seconds.")] = TOOL_SECONDS


class QueryDataset(_Parameters):
    """SQL, as DuckDB writes it, about one dataset."""

    dataset_id: Annotated[str, Field(min_length=1, max_length=200)]
    sql: Annotated[str, Field(min_length=1, max_length=100_000)]


@dataclass(frozen=True, slots=True)
class Tool:
    """One row. `function` gets parameters of the type `parameters`; it raises ToolError, EngineError."""

    name: str
    description: str
    parameters: type[_Parameters]
    function: Callable[[ToolContext, Any], Awaitable[str]]

    @property
    def schema(self) -> dict[str, Any]:
        """Its parameters as a JSON schema."""
        return self.parameters.model_json_schema()


async def _read_file(context: ToolContext, wanted: ReadFile) -> str:
    return await context.place.tool("read", wanted.model_dump())


async def _write_file(context: ToolContext, wanted: WriteFile) -> str:
    try:
        content = wanted.content.encode()
    except UnicodeEncodeError:
        raise ToolError("The content holds half of a surrogate pair, which is no text.") from None
    if len(content) > MAX_CONTENT_BYTES:
        raise ToolError(f"The content is larger than {MAX_CONTENT_BYTES:,} bytes.")
    return await context.place.tool("write", wanted.model_dump(exclude={"content"}), content)


async def _list_files(context: ToolContext, wanted: ListFiles) -> str:
    return await context.place.tool("list", wanted.model_dump())


async def _grep(context: ToolContext, wanted: Grep) -> str:
    return await context.place.tool("grep", wanted.model_dump())


async def _shell(context: ToolContext, wanted: Shell) -> str:
    return await _run(context, ("/bin/bash", "-c", wanted.command), wanted.timeout, at=wanted.working_directory)


async def _run_code(context: ToolContext, wanted: RunCode) -> str:
    files = {_CODE: wanted.code.encode(errors="replace")}
    return await _run(context, _PROGRAMS[wanted.language], wanted.timeout, files=files)


async def _query_dataset(context: ToolContext, wanted: QueryDataset) -> str:
    if context.query is None:
        raise ToolError("This task has no access to datasets.")
    return await context.query(wanted.dataset_id, wanted.sql)


_ENTER = """
cd -- "$1" 2>/dev/null || { echo 'holdfast: there is no such working_directory' >&2; exit 125; }
case "$(pwd -P)/" in
  /workspace/*) ;;
  *) echo 'holdfast: the working_directory is outside of /workspace' >&2; exit 125 ;;
esac
shift; exec "$@"
"""


_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1"}
"""A model mends a file within the second it was compiled in, and then Python may take what it has compiled before."""


async def _run(
    context: ToolContext,
    argv: tuple[str, ...],
    seconds: float,
    *,
    at: str = ".",
    files: Mapping[str, bytes] | None = None,
) -> str:
    captures = {"stdout": Capture(MAX_OUTPUT_BYTES), "stderr": Capture(MAX_OUTPUT_BYTES)}

    async def hear(output: Output) -> None:
        if output.stream in captures:
            captures[output.stream].feed(output.data)

    command = Command(
        argv=("/bin/sh", "-c", _ENTER, "sh", at, *argv),
        environment={**_ENVIRONMENT, **(context.environment or {})},
        files=files or {},
        wall_seconds=seconds,
    )
    exited = await context.place.run(command, hear)
    said = [_stream(name, capture) for name, capture in captures.items()]
    if exited.exit_code == _NOT_ENTERED and captures["stderr"].text.startswith("holdfast: "):
        raise ToolError(captures["stderr"].text.removeprefix("holdfast: ").strip().capitalize() + ".")
    return "\n\n".join([*said, _ending(exited, seconds)])


def _stream(name: str, capture: Capture) -> str:
    capture.finish()
    cut = f"\n... cut at {MAX_OUTPUT_BYTES:,} bytes" if capture.truncated else ""
    return f"{name.upper()}:\n{capture.text.removesuffix(chr(10))}{cut}"


def _ending(exited: Exited, seconds: float) -> str:
    """How it ended, as a shell would say it."""
    if exited.reason == "wall":
        return f"EXIT CODE: 124 (it was ended after {seconds:g} seconds)"
    if exited.usage.out_of_memory:
        return "EXIT CODE: 137 (it needed more memory than the sandbox has)"
    return f"EXIT CODE: {exited.exit_code if exited.exit_code is not None else 128 + (exited.signal or 0)}"


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("read_file", "Read a text file, or some lines of it.", ReadFile, _read_file),
        Tool("write_file", "Write a text file, or add to the end of one.", WriteFile, _write_file),
        Tool("list_files", "List the files of a directory, or those that a pattern fits.", ListFiles, _list_files),
        Tool("grep", "Find lines by a regular expression.", Grep, _grep),
        Tool("shell", "Run a command with bash in the workspace.", Shell, _shell),
        Tool("run_code", "Run a program in the workspace.", RunCode, _run_code),
        Tool("query_dataset", "Ask a dataset with SQL.", QueryDataset, _query_dataset),
    )
}


def enabled(names: Iterable[str]) -> tuple[Tool, ...]:
    """The rows of these names, in the order of the table."""
    wanted = frozenset(names)
    return tuple(tool for name, tool in TOOLS.items() if name in wanted)


async def use(tools: Iterable[Tool], name: str, arguments: Mapping[str, Any], context: ToolContext) -> str:
    """What a tool answers; one that is not among these is not used. Raises ToolError, EngineError."""
    tool = next((each for each in tools if each.name == name), None)
    if tool is None:
        raise ToolError(f"There is no tool '{name[:60]}' here; there are {', '.join(each.name for each in tools)}.")
    try:
        parameters = tool.parameters.model_validate(dict(arguments))
    except ValidationError as error:
        raise ToolError(_fault(tool, error)) from None
    try:
        answer = await tool.function(context, parameters)
    except RequestError as error:
        raise ToolError(context.masked(error.detail)) from None
    return context.masked(answer)


def _fault(tool: Tool, error: ValidationError) -> str:
    """What is wrong with the arguments, for who wrote them."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}" for fault in faults[:5]]
    return f"The arguments of {tool.name} are wrong. " + "; ".join(told) + "."
