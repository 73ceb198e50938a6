"""Workbooks of Excel. They are archives of XML, so what they claim to unpack to is looked at before they are."""

from __future__ import annotations

import zipfile

from holdfast.guest.data.opening import Unreadable, check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_UNPACKED = 1 << 30
MOST_PARTS = 10_000
MOST_SHEETS = 200
MOST_ROWS = 1_048_576
"""As Excel has it; a file that was made otherwise may claim more, and reading them would take minutes."""


def sheets(path: str) -> Iterator[tuple[str, Any]]:
    """Each sheet that is not empty, as a frame; the first row holds the names. Raises Unreadable."""
    try:
        import openpyxl  # type: ignore[import-untyped, unused-ignore]  # noqa: F401
    except ImportError:
        raise Unreadable("the programs' environment has no openpyxl; have the operator run: holdfast setup") from None
    import pandas  # type: ignore[import-untyped, unused-ignore]

    try:
        _check(path)
        with pandas.ExcelFile(path, engine="openpyxl") as book:
            if len(book.sheet_names) > MOST_SHEETS:
                raise Unreadable(f"it has {len(book.sheet_names):,} sheets; at most {MOST_SHEETS} are read")
            for name in book.sheet_names:
                frame = _sheet(book, name)
                if len(frame.columns):
                    yield str(name), frame
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable(f"not an Excel workbook (.xlsx): {error}") from error


def _sheet(book: Any, name: Any) -> Any:
    """Raises Unreadable."""
    # To read all of a sheet that is too wide would take minutes.
    for rows in (0, MOST_ROWS):
        frame = book.parse(name, dtype=object, nrows=rows)
        check_names(list(map(str, frame.columns)))
    if len(frame) == MOST_ROWS:
        raise Unreadable(f"a sheet has {MOST_ROWS:,} rows or more, and Excel has no more; save it as CSV")
    return frame


def _check(path: str) -> None:
    """Raises Unreadable for what unpacks to far more than a workbook; a part never gives more than it claims here."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if len(parts) > MOST_PARTS:
        raise Unreadable(f"the workbook has {len(parts):,} parts; at most {MOST_PARTS:,} are read")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MOST_UNPACKED:
        raise Unreadable(
            f"the workbook unpacks to {unpacked / (1 << 30):,.1f} GiB; at most {MOST_UNPACKED >> 30} GiB is read, "
            "so save its sheets as CSV"
        )
