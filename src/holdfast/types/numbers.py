"""Numbers as bodies of requests have them. To Python, true is 1; to whoever wrote it, it is a mistake."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _is_no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("write a number, not true or false")
    return value


NoBoolean = BeforeValidator(_is_no_boolean)
"""Comes last in `Annotated`, behind the bounds: before them, the description of the API would not know them."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), NoBoolean]
Count = Annotated[int, Field(gt=0), NoBoolean]
