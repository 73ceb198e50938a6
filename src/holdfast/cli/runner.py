"""`holdfast runner`: `sql` and `python` take a request on stdin and print one line of JSON; `task` does tasks."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(
    help="Programs for other programs: sql and python answer one request on stdin, task does tasks.",
    no_args_is_help=True,
)

DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="The root of the files, which requests also call /data; DATASETS_DIR if not said."
    ),
]
Config = Annotated[Path | None, typer.Option(help="Settings file instead of ./holdfast.toml.", metavar="FILE")]


@commands.command("task")
def run_task() -> None:
    """Do tasks and tell of them by callbacks; told by MODE, TASK_ID, CALLBACK_URL, REGISTER_URL and TASK_CONFIG."""
    from holdfast.runner import main

    raise typer.Exit(main())


@commands.command("sql")
def run_sql(data_dir: DataDir = None, config: Config = None) -> None:
    """Run SQL of DuckDB over the files of the request; the exit code is 0 only for success."""
    from holdfast.cli import answering

    raise typer.Exit(answering.answer("sql", data_dir, config))


@commands.command("python")
def run_python(data_dir: DataDir = None, config: Config = None) -> None:
    """Run Python with pandas over the files of the request; the exit code is 0 only for success."""
    from holdfast.cli import answering

    raise typer.Exit(answering.answer("python", data_dir, config))
