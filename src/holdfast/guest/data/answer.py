"""The answer of a run over data: one JSON object in a file that the host reads, and does not trust."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

ANSWER = ".holdfast/answer.json"
MAX_MESSAGE = 8_192
_HALF = "\\ud"
TOO_LARGE = "The first row alone is larger than max_output_bytes ({limit:,}); select less, or ask for more."


class Failure(Exception):
    """The program, not this one, went wrong: what to say of it."""

    def __init__(self, kind: str, message: str, line: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.error = {"type": kind, "message": clipped(message, MAX_MESSAGE), "line": line, "hint": hint}


def clipped(text: str, most: int) -> str:
    """The text, at most so long, without what is no Unicode."""
    text = text if len(text) <= most else f"{text[:most]}…"
    return text.encode("utf-8", "replace").decode()


class Rows:
    """Takes rows as long as there is room: `max_rows` of them, and so many bytes with the names of the columns."""

    def __init__(self, columns: list[str], types: list[str], *, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._parts: list[str] = []
        self.head = f'"columns": {_json(columns)}, "column_types": {_json(types)}'
        self._bytes = len(self.head) + len('{, "rows": []}')
        self.full = max_rows == 0

    @property
    def wide(self) -> bool:
        """Whether the names of the columns alone are too much."""
        return self._bytes > self._max_bytes

    def __len__(self) -> int:
        return len(self._parts)

    def take(self, row: Iterable[Any]) -> None:
        """Take a row, unless the answer is full, or becomes it."""
        if self.full:
            return
        part = _json(list(row))
        self._bytes += len(part) + len(", ")
        self.full = self._bytes > self._max_bytes or len(self._parts) == self._max_rows
        if not self.full:
            self._parts.append(part)

    def answer(self, total: int, exec_ms: float, **more: Any) -> str:
        """The whole answer."""
        notes = [] if self._parts or not total or not self._max_rows else [TOO_LARGE.format(limit=self._max_bytes)]
        rest = {
            "status": "success",
            "row_count": len(self),
            "total_rows": total,
            "truncated": len(self) < total,
            "exec_ms": round(exec_ms, 3),
            "error": None,
            "notes": notes,
            **more,
        }
        return f'{{{self.head}, "rows": [{", ".join(self._parts)}], {_json(rest)[1:]}'


def failed(failure: Failure, exec_ms: float) -> str:
    """The answer that says what went wrong."""
    return _json({"status": "error", "exec_ms": round(exec_ms, 3), "error": failure.error})


def leave(text: str) -> None:
    """Put the answer where the host looks for it."""
    os.makedirs(os.path.dirname(ANSWER), exist_ok=True)
    with open(ANSWER, "wb") as file:
        file.write(text.encode("ascii"))


def _json(value: Any) -> str:
    """As everybody's JSON is written by default, so that the limit holds for whoever writes it again."""
    text = json.dumps(value, allow_nan=False)
    if _HALF in text:
        # Half of a character is none: it cannot be written anywhere else.
        whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        text = json.dumps(json.loads(whole))
    return text
