"""Sentences about a result, without a language model."""

import pytest

from holdfast.agents.prose import said_of_table
from holdfast.types import Table


def one(name: str, value: object, kind: str = "BIGINT") -> Table:
    return Table(columns=(name,), column_types=(kind,), rows=((value,),), row_count=1, total_rows=1, truncated=False)


def test_a_total_is_of_the_dataset_only_when_no_rows_were_left_out() -> None:
    assert said_of_table(one("total_orders", 4018)) == "There are 4,018 total orders in the dataset."
    assert "in the dataset" not in said_of_table(one("total_orders", 17), of_all=False)


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0"), (3e-9, "3e-09"), (-2.5e-7, "-2.5e-07"), (0.25, "0.25"), (4e20, "4e+20")]
)
def test_small_and_large_numbers_keep_what_is_known_of_them(value: float, said: str) -> None:
    assert said in said_of_table(one("mean", value, "DOUBLE"))
