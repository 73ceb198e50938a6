"""What `holdfast plan` does."""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import ValidationError

from holdfast.app import open_app
from holdfast.data.compiler import compile_plan
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging
from holdfast.types import OPERATOR, Dataset
from holdfast.types.plan import parse_plan

MAX_BYTES = 16 << 20
_GUESSES = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:bool"})


class _Loader(yaml.SafeLoader):
    """YAML in which dates, `=`, `yes` and `no` are text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
        first: [(tag, pattern) for tag, pattern in known if tag not in _GUESSES]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


async def show(settings: Settings, file: str, dataset: str | None, *, as_json: bool) -> None:
    """Print what a plan means as SQL. Raises InvalidFieldError, NotFoundError."""
    configure_logging("warning", settings.log_format)
    plan = parse_plan(_load(file, "FILE"))
    found = await _dataset(settings, dataset or plan.dataset_id)
    compiled = compile_plan(plan, found)
    print(json.dumps(asdict(compiled), indent=2, ensure_ascii=False) if as_json else compiled.readable_sql)


async def _dataset(settings: Settings, name: str) -> Dataset:
    if name.endswith(".json"):
        try:
            return Dataset.model_validate(_load(name, "--dataset"))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, fault["loc"]))
            raise typer.BadParameter(f"'{name}' describes no dataset: {place}: {fault['msg']}") from None
    async with open_app(settings.model_copy(update={"pool_size": 0}), {"python"}) as app:
        return await app.datasets.get(name, OPERATOR)


def _load(file: str, hint: str) -> Any:
    """JSON is told by its ending, everything else is YAML."""
    try:
        text = sys.stdin.read(MAX_BYTES) if file == "-" else Path(file).read_text("utf-8")
        return json.loads(text) if file.endswith(".json") else yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise typer.BadParameter(f"'{file}' cannot be read: {error.strerror}", param_hint=hint) from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else "too deeply nested"
        raise typer.BadParameter(f"'{file}' is neither JSON nor YAML: {first}", param_hint=hint) from None
