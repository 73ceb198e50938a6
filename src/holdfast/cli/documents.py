"""Plans and descriptions in files, as JSON or YAML."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import typer
import yaml

MAX_BYTES = 16 << 20
_GUESSES = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:bool"})


class _Loader(yaml.SafeLoader):
    """YAML in which dates, `=`, `yes` and `no` are text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
        first: [(tag, pattern) for tag, pattern in known if tag not in _GUESSES]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def load(file: str, hint: str) -> Any:
    """JSON is told by its ending, everything else is YAML. Raises typer.BadParameter."""
    try:
        text = sys.stdin.read(MAX_BYTES) if file == "-" else Path(file).read_text("utf-8")
        return json.loads(text) if file.endswith(".json") else yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise typer.BadParameter(f"'{file}' cannot be read: {error.strerror}", param_hint=hint) from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else "too deeply nested"
        raise typer.BadParameter(f"'{file}' is neither JSON nor YAML: {first}", param_hint=hint) from None
