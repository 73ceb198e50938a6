"""The `holdfast` command. Heavy imports wait until a command needs them, so that `--help` is quick."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from holdfast import __version__
from holdfast.cli import chat, data, datasets, plans, runner, session, task
from holdfast.errors import HoldfastError, RequestError

T = TypeVar("T")

OWN_FAILURE = 125
WRONG_USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

app = typer.Typer(
    name="holdfast",
    help="Runs code that nobody trusts: fast, contained, accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="API keys of the server.", no_args_is_help=True)
app.add_typer(keys, name="keys")
languages = typer.Typer(help="Languages that programs can be written in.", no_args_is_help=True)
app.add_typer(languages, name="languages")
prebuild = typer.Typer(
    help="Prebuilt environments: languages with packages and files of your own.", no_args_is_help=True
)
app.add_typer(prebuild, name="prebuild")
images = typer.Typer(help="Images that programs run in with the engine 'docker'.", no_args_is_help=True)
app.add_typer(images, name="images")
app.add_typer(session.commands, name="session")
app.add_typer(runner.commands, name="runner")
app.add_typer(data.commands, name="data")
app.add_typer(datasets.commands, name="datasets")
app.add_typer(plans.commands, name="plan")
app.add_typer(task.commands, name="task")
app.command("ask")(chat.ask)
app.command("chat")(chat.chat)

Config = Annotated[Path | None, typer.Option(help="Settings file instead of ./holdfast.toml.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Server = Annotated[str | None, typer.Option(help="Use this server instead of this machine.", metavar="URL")]
Key = Annotated[str | None, typer.Option("--api-key", help="A key that server accepts.", metavar="KEY")]


def main() -> None:
    """The entry point. Everything that goes wrong is one sentence on stderr, never a traceback."""
    try:
        app()
    except HoldfastError as error:
        fail(error.detail, WRONG_USAGE if isinstance(error, RequestError) else OWN_FAILURE)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(BROKEN_PIPE)


def fail(sentence: str, exit_code: int) -> None:
    """Say what is wrong and leave."""
    print(f"holdfast: {sentence}", file=sys.stderr)
    sys.exit(exit_code)


def in_loop(work: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """Run to the end; Ctrl-C ends it in order and without a traceback."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        print("holdfast: stopped.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"holdfast {__version__}")
        raise typer.Exit()


@app.callback()
def holdfast(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Runs code that nobody trusts: fast, contained, accounted for."""


@app.command()
def run(  # noqa: PLR0913 - every parameter is an option of the command
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The program, or '-' to read it from stdin.")],
    args: Annotated[list[str] | None, typer.Argument(metavar="[ARGS]...", help="Arguments of the program.")] = None,
    language: Annotated[str | None, typer.Option(help="Language; otherwise told by the file's ending.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds it may take.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory it may use, such as 256m.")] = None,
    disk: Annotated[str | None, typer.Option(help="Scratch files it may write, such as 64m.")] = None,
    cpus: Annotated[float | None, typer.Option(help="Processors it may use.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes and threads it may start.")] = None,
    stdin: Annotated[str | None, typer.Option(metavar="FILE|-", help="What it reads from its stdin.")] = None,
    env: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Environment variable.")] = None,
    input_file: Annotated[
        list[str] | None, typer.Option("--file", metavar="PATH[:NAME]", help="File to place beside it.")
    ] = None,
    artifact: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Files to bring back.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where files that come back are written.")] = None,
    network: Annotated[bool, typer.Option("--network", help="Allow outbound network, if enabled here.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON at the end.")] = False,
    server: Server = None,
    api_key: Key = None,
    config: Config = None,
) -> None:
    """Run a program in a sandbox on this machine, or on a server; the exit code is the program's own.

    Arguments of the program that begin with '-' go after '--'. Exit code 125 is a failure of Holdfast itself.
    """
    from holdfast.cli import running
    from holdfast.cli.calling import where

    request = running.build(
        file,
        language,
        stdin=stdin,
        env=env or [],
        files=input_file or [],
        options={
            "args": args,
            "timeout": timeout,
            "mem_limit": memory,
            "disk_limit": disk,
            "cpus": cpus,
            "processes": processes,
            "artifacts": artifact,
            "allow_network": network,
        },
    )
    folder = out or (None if as_json else Path())
    settings = where(server, api_key, config)
    raise typer.Exit(in_loop(running.run(request, settings, as_json=as_json, out=folder)))


@app.command()
def grade(  # noqa: PLR0913 - every parameter is an option of the command
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The submission, or '-' to read it from stdin.")],
    tests: Annotated[Path, typer.Option(metavar="FILE", help="The tests, as JSON or YAML.")],
    language: Annotated[str | None, typer.Option(help="Language; otherwise told by the file's ending.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds each run may take; 2 if nothing says else.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory it may use, such as 256m.")] = None,
    stdin: Annotated[str | None, typer.Option(metavar="FILE|-", help="What it reads from its stdin.")] = None,
    input_file: Annotated[
        list[str] | None, typer.Option("--file", metavar="PATH[:NAME]", help="File to place beside it.")
    ] = None,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
    config: Config = None,
) -> None:
    """Grade a submission on this machine, or on a server; the exit code is 0 when every test passed, else 1.

    Exit code 2 is wrong usage, 125 a failure of Holdfast itself.
    """
    from holdfast.cli import grading, running
    from holdfast.cli.calling import where

    options = {"timeout": timeout, "mem_limit": memory}
    given = {name: value for name, value in options.items() if value is not None}
    request = running.build(file, language, stdin=stdin, env=[], files=input_file or [], options=given)
    settings = where(server, api_key, config)
    raise typer.Exit(in_loop(grading.grade(grading.build(request, tests), settings, as_json=as_json)))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback a key is needed.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    config: Config = None,
) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM; running requests are answered first."""
    import uvloop

    from holdfast.cli import serving
    from holdfast.settings import load_settings

    in_loop(serving.serve(load_settings({"host": host, "port": port}, config=config)), uvloop.new_event_loop)


@app.command()
def setup(config: Config = None) -> None:
    """Make the environment whose packages programs can import, and install the languages."""
    from holdfast.cli import installing
    from holdfast.settings import load_settings

    installing.set_up(load_settings(config=config))


@app.command()
def doctor(
    attack: Annotated[
        bool, typer.Option("--attack", help="Also attack it from inside runs, sessions and prebuilt environments.")
    ] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Say what this host can enforce, why not, and how to mend it; exit code 1 when it is not enough."""
    from holdfast.cli import examining
    from holdfast.settings import load_settings

    raise typer.Exit(in_loop(examining.examine(load_settings(config=config), attack=attack, as_json=as_json)))


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer samples: a minute instead of three.")] = False,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Measure everything so many times.")] = 1,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Measure this machine: latency and throughput, cold and warm, beside a bare process, bubblewrap and docker."""
    from holdfast.cli import benching
    from holdfast.settings import load_settings

    benching.bench(load_settings(config=config), quick=quick, passes=runs, as_json=as_json)


@app.command()
def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="What 'data run' printed.")],
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Run a data run again, on a server, and say what is different; the exit code is 0 when nothing is."""
    from holdfast.cli import asking
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        raise typer.Exit(asking.tell_replay(client.replay(run), as_json=as_json))


@app.command()
def gc(as_json: Json = False, config: Config = None) -> None:
    """Remove rows, tasks and datasets kept long enough; a running server does it by itself, and need not be stopped."""
    from holdfast.cli import collecting
    from holdfast.settings import load_settings

    in_loop(collecting.collect(load_settings(config=config), as_json=as_json))


@app.command()
def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/guide/settings.md instead.")] = False,
) -> None:
    """Print every setting with its default, in the form of an `.env` file."""
    from holdfast import settings as module

    print(module.markdown() if markdown else module.env_example(), end="")


@languages.command("add")
def add_language(name: str, config: Config = None) -> None:
    """Install a language; a server that runs already needs a restart to use it."""
    from holdfast.cli import installing
    from holdfast.settings import load_settings

    installing.add(load_settings(config=config), name)


@languages.command("list")
def list_languages(as_json: Json = False, config: Config = None) -> None:
    """Print the languages, which of them are ready, and how to add the others."""
    from holdfast.cli import installing
    from holdfast.settings import load_settings

    in_loop(installing.show(load_settings(config=config), as_json=as_json))


@keys.command("add")
def add_key(
    name: str,
    scope: Annotated[str, typer.Option(help="run, or admin to manage the server as well.")] = "run",
    config: Config = None,
) -> None:
    """Make a key and print it; it is not stored and cannot be shown again."""
    from holdfast.cli import keyring

    keyring.add(name, scope, config)


@keys.command("list")
def list_keys(as_json: Json = False, config: Config = None) -> None:
    """Print the keys that are accepted, without their secrets."""
    from holdfast.cli import keyring

    keyring.show(config, as_json=as_json)


@keys.command("revoke")
def revoke_key(name: str, config: Config = None) -> None:
    """Accept a key no longer; a running server notices at once."""
    from holdfast.cli import keyring

    keyring.revoke(name, config)


@prebuild.command("build")
def build_prebuild(  # noqa: PLR0913 - every parameter is an option of the command
    tag: Annotated[str, typer.Argument(help="What it is called.")],
    script: Annotated[str, typer.Option(metavar="FILE|-", help="The shell script that installs what it needs.")],
    base: Annotated[str, typer.Option(help="The language it is based on.")] = "python",
    input_file: Annotated[
        list[str] | None, typer.Option("--file", metavar="PATH[:NAME]", help="File the script finds in /workspace.")
    ] = None,
    network: Annotated[bool, typer.Option("--network", help="Give the script outbound network.")] = False,
    shared: Annotated[bool, typer.Option("--shared", help="Let every key run programs in it.")] = False,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
    config: Config = None,
) -> None:
    """Build a prebuilt environment, in place of one that has the tag; exit code 1 when the script failed."""
    from holdfast.cli import prebuilding
    from holdfast.cli.calling import where

    request = prebuilding.wanted(tag, base, script, input_file or [], shared=shared, network=network)
    settings = where(server, api_key, config)
    raise typer.Exit(in_loop(prebuilding.build(settings, request, as_json=as_json)))


@prebuild.command("list")
def list_prebuilds(as_json: Json = False, server: Server = None, api_key: Key = None, config: Config = None) -> None:
    """Print the prebuilt environments."""
    from holdfast.cli import prebuilding
    from holdfast.cli.calling import where

    prebuilding.show(where(server, api_key, config), as_json=as_json)


@prebuild.command("rm")
def remove_prebuild(tag: str, server: Server = None, api_key: Key = None, config: Config = None) -> None:
    """Remove a prebuilt environment; its files go when no run uses them."""
    from holdfast.cli import prebuilding
    from holdfast.cli.calling import where

    prebuilding.remove(where(server, api_key, config), tag)


@prebuild.command("cleanup")
def clean_up_prebuilds(
    max_age_days: Annotated[float, typer.Option(min=0, help="Remove what was not used for so many days.")] = 7.0,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
    config: Config = None,
) -> None:
    """Remove the prebuilt environments that nobody has used for long."""
    from holdfast.cli import prebuilding
    from holdfast.cli.calling import where

    prebuilding.clean_up(where(server, api_key, config), max_age_days, as_json=as_json)


@images.command("build")
def build_images(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[LANG]...", help="Languages; all there are here.")
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="IMAGE", help="What they are built upon, of your own.")] = None,
    config: Config = None,
) -> None:
    """Build the images of languages, of what `holdfast setup` and `holdfast languages add` have installed here."""
    from holdfast.cli import imaging
    from holdfast.settings import load_settings

    in_loop(imaging.build(load_settings(config=config), names or [], base))


@images.command("list")
def list_images(as_json: Json = False, config: Config = None) -> None:
    """Print the images that this version of Holdfast can use."""
    from holdfast.cli import imaging
    from holdfast.settings import load_settings

    in_loop(imaging.show(load_settings(config=config), as_json=as_json))
