"""`holdfast task`: agents and workflows on a running server."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Agents and workflows on a running server.", no_args_is_help=True)

Server = Annotated[str | None, typer.Option(help="Where the server is.", metavar="URL", show_default="this machine")]
Key = Annotated[str | None, typer.Option("--api-key", help="A key the server accepts.", metavar="KEY")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; of events one on each line.")]
Name = Annotated[str, typer.Argument(metavar="TASK", help="What 'task run' printed.")]


@commands.command()
def run(  # noqa: PLR0913 - every parameter is an option of the command
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The task, as YAML or JSON; '-' reads stdin.")],
    workspace: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A folder, tar or zip to copy into its workspace.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="A secret; without a value, of the environment.")
    ] = None,
    callback: Annotated[str | None, typer.Option(metavar="URL", help="Where its events are posted.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds it may take.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print its name, and do not wait.")] = False,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Ask for a task and watch it; the exit code is 0 when it succeeded, else 1. Ctrl-C cancels it."""
    from holdfast.cli import tasking
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    options = {"callback_url": callback, "timeout": timeout}
    body = tasking.body(file, workspace, secret or [], options)
    with client_of(where(server, api_key), Client) as client:
        receipt = client.submit_task(body)
        if detach:
            print(receipt.id)
            return
        raise typer.Exit(tasking.watch(client, receipt.id, as_json=as_json, cancel=True))


@commands.command()
def watch(
    task: Name,
    after: Annotated[int, typer.Option(min=0, help="Only events after this one.")] = 0,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Watch a task; the exit code is 0 when it succeeded, else 1."""
    from holdfast.cli import tasking
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        raise typer.Exit(tasking.watch(client, task, after=after, as_json=as_json))


@commands.command("list")
def show_all(
    status: Annotated[str | None, typer.Option(help="Only those that are there, such as running.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Print the latest tasks, and what those that do not run wait for."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        for found in client.tasks(status=status, limit=limit).tasks:
            more = found.error.code if found.error else found.waiting_for or ""
            print(found.id, f"{found.created_at:%F %T}", found.type, found.status, more, sep="\t")


@commands.command()
def show(task: Name, server: Server = None, api_key: Key = None) -> None:
    """Print where a task is, as JSON."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        print(client.task(task).model_dump_json(indent=2))


@commands.command()
def cancel(task: Name, server: Server = None, api_key: Key = None) -> None:
    """End a task."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        print(client.cancel_task(task).status)


@commands.command()
def redeliver(task: Name, server: Server = None, api_key: Key = None) -> None:
    """Deliver the events of a task again whose delivery has died."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        delivery = client.redeliver_task(task).delivery
        print("It has no callback." if delivery is None else delivery.state)


@commands.command()
def artifact(
    task: Name,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What 'task show' lists.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, not to stdout.")] = None,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Write a file that a task has left."""
    import sys

    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        content = client.task_artifact(task, name)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    out.write_bytes(content)


@commands.command()
def rm(task: Name, server: Server = None, api_key: Key = None) -> None:
    """Forget a task; one that goes on is cancelled first."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        client.forget_task(task)
