"""`holdfast datasets`: the datasets of this machine; a server that runs here knows of changes at once."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Tables made of files, for runs to ask.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option(help="Settings file instead of ./holdfast.toml.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="ID", help="What 'datasets list' calls it.")]


@commands.command()
def add(  # noqa: PLR0913 - every parameter is an option of the command
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="CSV, TSV, JSON lines, Parquet or Excel.")],
    dataset_id: Annotated[
        str | None, typer.Option("--id", help="Its id; one that is yours already is replaced.")
    ] = None,
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    description: Annotated[str, typer.Option(help="What it holds.")] = "",
    skip_rejected: Annotated[bool, typer.Option("--skip-rejected", help="Leave out lines that are no rows.")] = False,
    shared: Annotated[bool, typer.Option("--shared", help="Let every key of the server use it.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make a dataset of files, one table for each; the exit code is 1 when they are not tables."""
    from holdfast.cli import in_loop, ingesting
    from holdfast.settings import load_settings
    from holdfast.types import DatasetWish

    wish = DatasetWish(id=dataset_id, name=name, description=description, skip_rejected=skip_rejected, shared=shared)
    raise typer.Exit(in_loop(ingesting.add(load_settings(config=config), files, wish, as_json=as_json)))


@commands.command("list")
def show_all(as_json: Json = False, config: Config = None) -> None:
    """Print all datasets."""
    from holdfast.cli import in_loop, ingesting
    from holdfast.settings import load_settings

    in_loop(ingesting.show_all(load_settings(config=config), as_json=as_json))


@commands.command()
def show(dataset: Name, as_json: Json = False, config: Config = None) -> None:
    """Print the tables and columns of one dataset."""
    from holdfast.cli import in_loop, ingesting
    from holdfast.settings import load_settings

    in_loop(ingesting.show(load_settings(config=config), dataset, as_json=as_json))


@commands.command()
def remove(dataset: Name, config: Config = None) -> None:
    """Forget a dataset; its file goes when no run uses it."""
    from holdfast.cli import ingesting
    from holdfast.settings import load_settings

    ingesting.remove(load_settings(config=config), dataset)


@commands.command()
def demo(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is made.")]) -> None:
    """Write the demo datasets as CSV files with their registry, as HOLDFAST_DATASETS_DIR can name them."""
    from holdfast.cli import ingesting

    ingesting.write_demo(folder)
