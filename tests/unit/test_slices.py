"""Large documents as JSON in slices: the same document, in pieces that are all small."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from holdfast.api.slices import SLICE_CHARACTERS, json_slices


class Part(BaseModel):
    texts: tuple[str, ...]
    flags: dict[str, bool]


class Document(BaseModel):
    stdout: str
    number: float | None
    part: Part


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
LONG_TEXTS = st.builds(lambda text, times: text * times, TEXTS, st.integers(0, 8000))


@given(LONG_TEXTS, st.lists(TEXTS, max_size=3), st.dictionaries(TEXTS, st.booleans(), max_size=3))
@settings(database=None, deadline=None)
def test_the_slices_are_together_the_same_document(stdout: str, texts: list[str], flags: dict[str, bool]) -> None:
    document = Document(stdout=stdout, number=None, part=Part(texts=tuple(texts), flags=flags))
    assert json.loads(b"".join(json_slices(document))) == json.loads(document.model_dump_json())


def test_no_slice_is_much_larger_than_said() -> None:
    document = Document(stdout="\x00é" * 1_000_000, number=1.5, part=Part(texts=("x" * 10,), flags={}))
    most = max(map(len, json_slices(document)))
    assert most <= 8 * SLICE_CHARACTERS
