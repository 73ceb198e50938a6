"""The reviewed lists: what a statement may be made of, and which functions and types it may name."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """Functions that are refused for one reason."""

    because: str
    hint: str


@dataclass(frozen=True, slots=True)
class Lists:
    """`nodes` and `records` hold the keys that each may have; names are in lower case, as DuckDB compares them."""

    nodes: Mapping[str, frozenset[str]]
    records: Mapping[str, frozenset[str]]
    commands: Mapping[str, str]
    functions: frozenset[str]
    table_functions: frozenset[str]
    varying: frozenset[str]
    denied: Mapping[str, Group]
    types: frozenset[str]
    version: str


@cache
def lists() -> Lists:
    """What is shipped."""
    nodes, functions, types = (read(name) for name in ("nodes", "functions", "types"))
    varying = _names(functions["varying"])
    return Lists(
        nodes=_nodes(nodes),
        records={f"~{key}": frozenset(keys) for key, keys in nodes["records"].items()},
        commands=nodes["commands"],
        functions=_names(functions["allowed"]) | varying,
        table_functions=frozenset(functions["tables"]),
        varying=varying,
        denied={
            name.lower(): Group(group["because"], group["hint"])
            for group in functions["denied"].values()
            for name in group["names"]
        },
        types=frozenset(types["allowed"]),
        version=functions["version"],
    )


def read(name: str) -> dict[str, Any]:
    """One of the files as it is."""
    return tomllib.loads((resources.files(__package__) / f"{name}.toml").read_text("utf-8"))


def lower(name: str) -> str:
    """As DuckDB compares identifiers: only the letters of ASCII have a lower case."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _names(groups: Mapping[str, Mapping[str, list[str]]]) -> frozenset[str]:
    return frozenset(lower(name) for group in groups.values() for name in group["names"])


def _nodes(data: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    everywhere = frozenset(data["everywhere"]["keys"])
    plain = {kind: everywhere | set(keys) for kind, keys in data["nodes"].items()}
    classes = {
        f"{name}/{kind}": everywhere | set(row["keys"])
        for name, row in data["classes"].items()
        for kind in row["types"]
    }
    return plain | classes
