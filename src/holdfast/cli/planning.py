"""What `holdfast plan` does."""

import json
from dataclasses import asdict

import typer
from pydantic import ValidationError

from holdfast.app import open_app
from holdfast.cli.documents import load
from holdfast.data.compiler import compile_plan
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging
from holdfast.types import OPERATOR, Dataset
from holdfast.types.plan import parse_plan


async def show(settings: Settings, file: str, dataset: str | None, *, as_json: bool) -> None:
    """Print what a plan means as SQL. Raises InvalidFieldError, NotFoundError."""
    configure_logging("warning", settings.log_format)
    plan = parse_plan(load(file, "FILE"))
    found = await _dataset(settings, dataset or plan.dataset_id)
    compiled = compile_plan(plan, found)
    print(json.dumps(asdict(compiled), indent=2, ensure_ascii=False) if as_json else compiled.readable_sql)


async def _dataset(settings: Settings, name: str) -> Dataset:
    if name.endswith(".json"):
        try:
            return Dataset.model_validate(load(name, "--dataset"))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, fault["loc"]))
            raise typer.BadParameter(f"'{name}' describes no dataset: {place}: {fault['msg']}") from None
    async with open_app(settings.model_copy(update={"pool_size": 0}), {"python"}) as app:
        return await app.datasets.get(name, OPERATOR)
