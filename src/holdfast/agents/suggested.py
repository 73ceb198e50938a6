"""The questions that the demo datasets suggest, and the queries that answer them, which come with them."""

import json
from functools import cache
from importlib import resources

from holdfast.data import demo
from holdfast.types import Dataset


def query_for(question: str, dataset: Dataset) -> str | None:
    """The SQL that answers a suggested question of a demo dataset; `None` for another question, or other data."""
    if not _has_the_columns_of_the_demo(dataset):
        return None
    return _queries().get(dataset.id, {}).get(_key(question))


@cache
def _queries() -> dict[str, dict[str, str]]:
    text = (resources.files("holdfast.data.demo") / "answers.json").read_text("utf-8")
    return {name: {_key(asked): sql for asked, sql in rows.items()} for name, rows in json.loads(text).items()}


@cache
def _columns() -> dict[str, set[tuple[str, str]]]:
    return {
        entry["id"]: {(file["name"], column) for file in entry["files"] for column in file["schema"]}
        for entry in json.loads(demo.registry())["datasets"]
    }


def _has_the_columns_of_the_demo(dataset: Dataset) -> bool:
    """An operator may have a dataset of the same name; its questions are its own."""
    there = {(table.name, column.name) for table in dataset.tables for column in table.columns}
    return dataset.id in _columns() and _columns()[dataset.id] <= there


def _key(question: str) -> str:
    return " ".join(question.lower().split()).rstrip("?. ")
