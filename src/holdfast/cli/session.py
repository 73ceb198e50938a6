"""`holdfast session`: sessions of a running server."""

from typing import Annotated, Any

import typer

commands = typer.Typer(help="Sandboxes that someone keeps, on a running server.", no_args_is_help=True)

Server = Annotated[str | None, typer.Option(help="Where the server is.", metavar="URL", show_default="this machine")]
Key = Annotated[str | None, typer.Option("--api-key", help="A key the server accepts.", metavar="KEY")]
Name = Annotated[str, typer.Argument(metavar="SESSION", help="What 'session new' printed.")]


@commands.command()
def new(  # noqa: PLR0913 - every parameter is an option of the command
    language: Annotated[str, typer.Option(help="Language of its code, or a prebuilt environment.")] = "python",
    setup: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Shell script that makes its environment, once.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds each run may take.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory it may use, such as 256m.")] = None,
    idle: Annotated[float | None, typer.Option(help="Seconds of idleness after which it ends.")] = None,
    lifetime: Annotated[float | None, typer.Option(help="Seconds after which it ends.")] = None,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Make a session and print its name."""
    from holdfast.cli.calling import client_of, where
    from holdfast.cli.running import text
    from holdfast.client import Client

    wanted = {"timeout": timeout, "mem_limit": memory, "idle_seconds": idle, "lifetime_seconds": lifetime}
    made_of: dict[str, Any] = {"image": language}
    if setup is not None:
        made_of = {"prebuild_spec": {"base_image": language, "setup_script": text(setup, "--setup")}}
    with client_of(where(server, api_key), Client) as client:
        print(client.open_session(**made_of, **wanted).id)


@commands.command()
def run(
    session: Name,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The code, or '-' to read it from stdin.")],
    timeout: Annotated[float | None, typer.Option(help="Seconds it may take.")] = None,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Run code in a session; the exit code is that of the code. Ctrl-C interrupts the code, not the session."""
    from holdfast.cli import in_loop, running
    from holdfast.cli.calling import where

    code = running.text(file, "FILE")
    raise typer.Exit(in_loop(running.run_in_session(session, code, timeout, where(server, api_key))))


@commands.command("list")
def show_all(server: Server = None, api_key: Key = None) -> None:
    """Print the sessions there are, also lost ones."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        for found in client.sessions().sessions:
            print(found.session_id, found.image, found.status, found.reason or "", sep="\t")


@commands.command()
def files(
    session: Name,
    path: Annotated[str | None, typer.Argument(help="Print the bytes of this file instead.")] = None,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Print the files of a session, or one of them; also those of a lost one."""
    import sys

    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        if path is not None:
            sys.stdout.buffer.write(client.attach(session).read(path))
            return
        for found in client.attach(session).files().files:
            print(found.size_bytes, found.path, sep="\t")


@commands.command()
def rm(session: Name, server: Server = None, api_key: Key = None) -> None:
    """End a session and forget it."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        client.attach(session).close()
