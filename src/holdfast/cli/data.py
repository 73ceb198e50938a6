"""`holdfast data`: questions to the datasets of a running server."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Ask the datasets of a running server, and look at what was asked.", no_args_is_help=True)

Server = Annotated[str | None, typer.Option(help="Where the server is.", metavar="URL", show_default="this machine")]
Key = Annotated[str | None, typer.Option("--api-key", help="A key the server accepts.", metavar="KEY")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="RUN", help="What 'data run' printed.")]


@commands.command()
def run(  # noqa: PLR0913 - every parameter is an option of the command
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="What 'datasets list' calls it.")],
    sql: Annotated[str | None, typer.Option(metavar="SQL", help="A query; '-' reads it from stdin.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="FILE|-", help="A plan, as JSON or YAML.")] = None,
    python: Annotated[str | None, typer.Option(metavar="FILE|-", help="A program over `dfs`.")] = None,
    question: Annotated[str | None, typer.Option(help="What it answers; kept in the record.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds it may take.")] = None,
    max_rows: Annotated[int | None, typer.Option(help="Rows to return at most.")] = None,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Ask a dataset with SQL, a plan or Python; the exit code is 0 when there is an answer, else 1."""
    from holdfast.cli import asking
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    limits = {"question": question, "timeout": timeout, "max_rows": max_rows}
    body = asking.body(sql=sql, plan=plan, python=python, options=limits)
    with client_of(where(server, api_key), Client) as client:
        raise typer.Exit(asking.tell(client.ask(dataset, **body), as_json=as_json))


@commands.command("list")
def show_all(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Print the latest data runs."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        for found in client.runs(kind="data", limit=limit).runs:
            print(found.run_id, f"{found.created_at:%F %T}", found.image, found.status, found.code or "", sep="\t")


@commands.command()
def show(run: Name, as_json: Json = False, server: Server = None, api_key: Key = None) -> None:
    """Print what was asked and what it came to."""
    from holdfast.cli import asking
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        raise typer.Exit(asking.tell(client.capsule(run), as_json=as_json))


@commands.command()
def cancel(run: Name, server: Server = None, api_key: Key = None) -> None:
    """End a data run."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        print(client.cancel(run).status)


@commands.command()
def export(
    run: Name,
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="csv, parquet, json, ipynb or sql.")] = "csv",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, not to stdout.")] = None,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Write a data run as a file."""
    import sys

    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        content = client.export(run, format)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    out.write_bytes(content)


@commands.command()
def rm(run: Name, server: Server = None, api_key: Key = None) -> None:
    """Forget a run."""
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        client.forget_run(run)
