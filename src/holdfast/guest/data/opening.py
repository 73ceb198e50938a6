"""What a file is, before anything makes a table of it: its encoding, its first line, how wide and how deep it is."""

from __future__ import annotations

import codecs
import json
import re
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

PIECE = 1 << 20
MOST_COLUMNS = 2_000
MOST_NAME = 500
MOST_DEPTH = 100
DELIMITERS = ",;|\t"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""In this order, for the mark of one begins as that of another."""

_NOT_ASCII, _BROKEN = re.compile("[^\x00-\x7f]"), re.compile("[\udc80-\udcff]")
_CONTROLS = bytes({*range(1, 32), 127} - {*b"\t\n\v\f\r\x1a\x1b"})
_QUOTED = re.compile('"[^"]*"')
_NAME = re.compile(r"[^\W\d][\w .#%()/-]{0,63}")


class Unreadable(Exception):
    """The file cannot be a table; the sentence says why."""


def encoding_of(path: str) -> tuple[str, str]:
    """The encoding of a file of text, and what its owner should know of it. Raises Unreadable, OSError."""
    with open(path, "rb") as file:
        head = file.read(4096)
        for mark, encoding in MARKS:
            if head.startswith(mark):
                return encoding, ""
        if wide := _without_a_mark(head):
            return wide, ""
        if len(head) - len(head.translate(None, _CONTROLS)) > max(8, len(head) // 20):
            raise Unreadable("this is no text, whatever its name ends with; save it as CSV, in UTF-8")
        file.seek(0)
        whole, broken = _characters(file)
        if not broken:
            return "utf-8", ""
        if whole >= broken:
            return "utf-8", f"it is UTF-8, but {broken:,} bytes of it are not: the lines that have them are no rows"
        file.seek(0)
        encoding = "cp1252" if _decodes(file, "cp1252") else "latin-1"
        return encoding, f"it is not UTF-8, so it was read as {encoding}; look whether its letters are right"


def _without_a_mark(head: bytes) -> str:
    """Which UTF-16 it is, by where its NULs are; empty when it is none. Raises Unreadable."""
    first, second, half = head[::2].count(0), head[1::2].count(0), len(head) / 2
    if second > half * 0.6 and first < half * 0.1:
        return "utf-16-le"
    if first > half * 0.6 and second < half * 0.1:
        return "utf-16-be"
    if first + second > half * 0.5:
        raise Unreadable("this is no text: much of it are NUL bytes")
    return ""


def _characters(file: BinaryIO) -> tuple[int, int]:
    """How many characters beyond ASCII there are in UTF-8, and how many bytes that are no part of one."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    whole = broken = 0
    while True:
        piece = file.read(PIECE)
        text = decoder.decode(piece, not piece)
        if not text.isascii():
            faulty = len(_BROKEN.findall(text))
            whole, broken = whole + len(_NOT_ASCII.findall(text)) - faulty, broken + faulty
        if not piece:
            return whole, broken


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := file.read(PIECE):
            decoder.decode(piece)
    except UnicodeDecodeError:
        return False
    return True


def written_as_utf8(path: str, encoding: str, to: str) -> None:
    """Write the text of a file to another, in UTF-8. Raises Unreadable, OSError."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with open(path, "rb") as raw, open(to, "w", encoding="utf-8", newline="") as file:
        before = 0
        try:
            while piece := raw.read(PIECE):
                file.write(decoder.decode(piece))
                before += len(piece)
            file.write(decoder.decode(b"", True))
        except UnicodeDecodeError:
            called = encoding.upper()
            raise Unreadable(f"it begins as {called} and is none from about byte {before:,} on") from None


def first_line(path: str) -> str:
    """The first line of a file in UTF-8, without its end. Raises Unreadable when there is nothing in the file."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        line = file.readline(PIECE)
        rest = line
        while rest and not rest.strip():
            rest = file.readline(PIECE)
    if not rest:
        raise Unreadable("the file is empty")
    return line.rstrip("\r\n")


def check_width(path: str, lines: int) -> None:
    """Raises Unreadable when one of the first lines has far more columns than a table may: to guess takes too long."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(islice(file, lines), 1):
            if len(line) < MOST_COLUMNS:
                continue
            unquoted = _QUOTED.sub("", line)
            columns = max(map(unquoted.count, DELIMITERS)) + 1
            if columns > (MOST_COLUMNS if number == 1 else MOST_COLUMNS * 10):
                raise Unreadable(f"line {number:,} has {columns:,} columns; at most {MOST_COLUMNS:,} are kept")


def check_names(names: list[str]) -> None:
    """Raises Unreadable when these are no names of columns."""
    if len(names) > MOST_COLUMNS:
        raise Unreadable(f"it has {len(names):,} columns; at most {MOST_COLUMNS:,} are kept")
    for number, name in enumerate(names, 1):
        if len(name) > MOST_NAME:
            raise Unreadable(f"the name of column {number} is {len(name):,} characters long; at most {MOST_NAME} are")
        if "\0" in name:
            raise Unreadable(f"the name of column {number} has a NUL byte in it")


def looks_like_names(line: str, delimiter: str) -> bool:
    """Whether a first line holds the names of columns."""
    names = [part.strip().strip('"').lower() for part in line.split(delimiter or ",")]
    return len(set(names)) == len(names) and all(map(_NAME.fullmatch, names))


def fault_of(line: str) -> str:
    """Why a line is no JSON object; empty when it is one."""
    if not line.isascii() and _BROKEN.search(line):
        return "not in the encoding of the file"
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.pos + 1}"
    except RecursionError:
        return "nested too deep"
    except ValueError:
        return "a number has too many digits"
    if not isinstance(value, dict):
        return "not a JSON object"
    deep = line.count("[") + line.count("{") > MOST_DEPTH and _depth(value) > MOST_DEPTH
    return "nested too deep" if deep else ""


def _depth(value: Any) -> int:
    level, here = 0, [value]
    while here:
        level += 1
        inner = [each.values() if isinstance(each, dict) else each for each in here if isinstance(each, (dict, list))]
        here = [each for values in inner for each in values]
    return level
