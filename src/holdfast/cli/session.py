"""`holdfast session`: sessions of a running server."""

from typing import Annotated

import typer

commands = typer.Typer(help="Sandboxes that someone keeps, on a running server.", no_args_is_help=True)

Server = Annotated[str, typer.Option(help="Where the server is.", metavar="URL")]
Key = Annotated[str | None, typer.Option("--api-key", help="A key the server accepts.", metavar="KEY")]
Name = Annotated[str, typer.Argument(metavar="SESSION", help="What 'session new' printed.")]
HERE = "http://127.0.0.1:8000"


@commands.command()
def new(  # noqa: PLR0913 - every parameter is an option of the command
    language: Annotated[str, typer.Option(help="Language of its code.")] = "python",
    timeout: Annotated[float | None, typer.Option(help="Seconds each run may take.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory it may use, such as 256m.")] = None,
    idle: Annotated[float | None, typer.Option(help="Seconds of idleness after which it ends.")] = None,
    lifetime: Annotated[float | None, typer.Option(help="Seconds after which it ends.")] = None,
    server: Server = HERE,
    api_key: Key = None,
) -> None:
    """Make a session and print its name."""
    from holdfast.cli import remote

    wanted = {"timeout": timeout, "mem_limit": memory, "idle_seconds": idle, "lifetime_seconds": lifetime}
    given = {name: value for name, value in wanted.items() if value is not None}
    with remote.connected(server, api_key) as client:
        print(remote.answer(client, "POST", "/sessions", json={"image": language, **given})["session_id"])


@commands.command()
def run(
    session: Name,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The code, or '-' to read it from stdin.")],
    timeout: Annotated[float | None, typer.Option(help="Seconds it may take.")] = None,
    server: Server = HERE,
    api_key: Key = None,
) -> None:
    """Run code in a session; the exit code is that of the code. Ctrl-C interrupts the code, not the session."""
    from holdfast.cli import remote, running

    body = {"code": running.text(file, "FILE"), **({} if timeout is None else {"timeout": timeout})}
    with remote.connected(server, api_key) as client:
        raise typer.Exit(remote.show_run(client, f"/sessions/{session}/run/stream", body))


@commands.command("list")
def show_all(server: Server = HERE, api_key: Key = None) -> None:
    """Print the sessions there are, also lost ones."""
    from holdfast.cli import remote

    with remote.connected(server, api_key) as client:
        for found in remote.answer(client, "GET", "/sessions")["sessions"]:
            print(found["session_id"], found["image"], found["status"], found["reason"] or "", sep="\t")


@commands.command()
def files(
    session: Name,
    path: Annotated[str | None, typer.Argument(help="Print the bytes of this file instead.")] = None,
    server: Server = HERE,
    api_key: Key = None,
) -> None:
    """Print the files of a session, or one of them; also those of a lost one."""
    from holdfast.cli import remote

    with remote.connected(server, api_key) as client:
        if path is not None:
            remote.print_file(client, f"/sessions/{session}/files/{path}")
            return
        for found in remote.answer(client, "GET", f"/sessions/{session}/files")["files"]:
            print(found["size_bytes"], found["path"], sep="\t")


@commands.command()
def rm(session: Name, server: Server = HERE, api_key: Key = None) -> None:
    """End a session and forget it."""
    from holdfast.cli import remote

    with remote.connected(server, api_key) as client:
        remote.answer(client, "DELETE", f"/sessions/{session}")
