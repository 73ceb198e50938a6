"""`holdfast ask` and `holdfast chat`: questions in words to the datasets of a running server."""

from pathlib import Path
from typing import Annotated

import typer

Server = Annotated[str | None, typer.Option(help="Where the server is.", metavar="URL", show_default="this machine")]
Key = Annotated[str | None, typer.Option("--api-key", help="A key the server accepts.", metavar="KEY")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def ask(  # noqa: PLR0913 - every parameter is an option of the command
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="What 'datasets list' calls it.")],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In words, or 'SQL: …', or 'PYTHON: …'.")],
    thread: Annotated[str | None, typer.Option(help="The conversation it belongs to.", metavar="THREAD")] = None,
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the answer: .png, .svg or .json.")] = None,
    as_json: Json = False,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Ask a dataset of a running server in words; the exit code is 0 when there is an answer, else 1."""
    from holdfast.cli import chatting
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        raise typer.Exit(chatting.ask(client, dataset, question, thread=thread, chart=chart, as_json=as_json))


def chat(
    dataset: Annotated[str, typer.Argument(metavar="[DATASET]", help="What 'datasets list' calls it.")] = "ecommerce",
    thread: Annotated[str | None, typer.Option(help="A conversation to go on with.", metavar="THREAD")] = None,
    charts: Annotated[Path | None, typer.Option(metavar="DIR", help="Where charts are drawn, as PNG.")] = None,
    server: Server = None,
    api_key: Key = None,
) -> None:
    """Talk with a dataset of a running server; an empty line or Ctrl-D ends it."""
    from holdfast.cli import chatting
    from holdfast.cli.calling import client_of, where
    from holdfast.client import Client

    with client_of(where(server, api_key), Client) as client:
        chatting.chat(client, dataset, thread=thread, charts=charts)
