"""The three demo datasets: made by generators that know no clock, so that they are the same everywhere.

All of them end at `ANCHOR`. `registry.json` beside this describes them, in the format of any registry.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from importlib import resources

from holdfast.data.demo import ecommerce, sensors, support
from holdfast.data.demo.clock import ANCHOR as ANCHOR

Table = tuple[tuple[str, ...], Iterable[tuple[object, ...]]]

_GENERATORS: Mapping[str, Callable[[], Mapping[str, Table]]] = {
    "ecommerce": ecommerce.tables,
    "support": support.tables,
    "sensors": sensors.tables,
}


def registry() -> str:
    """The description of the demo datasets."""
    return (resources.files("holdfast.data.demo") / "registry.json").read_text("utf-8")


def files(dataset_id: str) -> Mapping[str, bytes]:
    """The files of a demo dataset, by their path in the registry."""
    return {f"{dataset_id}/{name}.csv": _csv(*table) for name, table in _GENERATORS[dataset_id]().items()}


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(tuple("" if value is None else value for value in row) for row in rows)
    return text.getvalue().encode()
