"""`holdfast keys`."""

import json
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from holdfast.app import open_keys
from holdfast.settings import load_settings


def add(name: str, scope: str, config: Path | None) -> None:
    """Make a key and print it on stdout, alone, so that it can be captured."""
    if scope not in ("run", "admin"):
        raise typer.BadParameter("a scope is 'run' or 'admin'", param_hint="--scope")
    secret = open_keys(load_settings(config=config)).add(name, "admin" if scope == "admin" else "run")
    print("This key is shown once; send it as X-API-Key:", file=sys.stderr)
    print(secret)


def show(config: Path | None, *, as_json: bool) -> None:
    """Print what is known about each key."""
    keys = open_keys(load_settings(config=config)).all()
    if as_json:
        print(json.dumps([key.model_dump(mode="json", exclude={"sha256"}) for key in keys], indent=2))
        return
    table = Table("name", "scope", "made")
    for key in keys:
        table.add_row(key.name, key.scope, f"{key.created_at:%Y-%m-%d %H:%M}")
    Console().print(table if keys else "There are no keys; make one with: holdfast keys add NAME")


def revoke(name: str, config: Path | None) -> None:
    """Accept a key no longer."""
    open_keys(load_settings(config=config)).revoke(name)
    print(f"The key '{name}' is no longer accepted.")
