"""A large document as JSON, slice by slice, so that what a program wrote exists once in memory and not four times."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

SLICE_CHARACTERS = 1 << 16


def json_slices(document: BaseModel) -> Iterator[bytes]:
    """The same JSON as `model_dump_json`, in pieces of about `SLICE_CHARACTERS`."""
    waiting = bytearray()
    for token in _tokens(document.model_dump(mode="json")):
        waiting += token
        if len(waiting) >= SLICE_CHARACTERS:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _tokens(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        yield from _enclosed(b"{", (_member(key, item) for key, item in value.items()), b"}")
    elif isinstance(value, list):
        yield from _enclosed(b"[", map(_tokens, value), b"]")
    elif isinstance(value, str) and len(value) > SLICE_CHARACTERS:
        yield from _enclosed(b'"', (_part(value, start) for start in range(0, len(value), SLICE_CHARACTERS)), b'"', b"")
    else:
        yield _encoded(value)


def _enclosed(opening: bytes, parts: Iterator[Iterator[bytes]], closing: bytes, comma: bytes = b",") -> Iterator[bytes]:
    yield opening
    for index, part in enumerate(parts):
        if index:
            yield comma
        yield from part
    yield closing


def _member(key: str, value: Any) -> Iterator[bytes]:
    yield _encoded(key) + b":"
    yield from _tokens(value)


def _part(text: str, start: int) -> Iterator[bytes]:
    yield _encoded(text[start : start + SLICE_CHARACTERS])[1:-1]


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
