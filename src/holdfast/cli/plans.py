"""`holdfast plan`: query plans of this machine's datasets."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Questions about datasets, written as data.", no_args_is_help=True)


@commands.callback()
def plan() -> None:
    """Questions about datasets, written as data."""


@commands.command("compile")
def compile_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The plan, as JSON or YAML.")],
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="ID|FILE", help="A dataset of this machine, or its description as JSON; or as the plan says."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the SQL with its parameters as JSON.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Settings file instead of ./holdfast.toml.", metavar="FILE")
    ] = None,
) -> None:
    """Print the SQL that a plan means; nothing is run."""
    from holdfast.cli import in_loop, planning
    from holdfast.settings import load_settings

    in_loop(planning.show(load_settings(config=config), file, dataset, as_json=as_json))
