"""Secrets in what programs write: hidden in whatever form they are written, also when they come in pieces."""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from urllib.parse import quote, quote_plus

MASK = "***"
_LEAST_ENCODED = 4
"""Of a shorter secret, or line of one, an encoded form would be found in anything."""

_LEAST_BASE64 = 6
_WRAPPED = (76, 64)
"""After how many characters programs break lines of base64."""


_LONGEST = 1024
"""Longer forms are looked for in parts of about this length, so that little text need be kept back."""


class Masker:
    """Takes text as it comes. What could be the begin of a secret is kept back until more is known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = Forms(secrets)
        self._kept = ""

    def another(self) -> "Masker":
        """One of the same secrets for another stream; only the first of them takes a while to make."""
        made = copy(self)
        made._kept = ""
        return made

    def feed(self, text: str) -> str:
        """The text that can be told by now."""
        self._kept += text
        return self._told(self._forms.unfinished(self._kept))

    def finish(self) -> str:
        """The rest."""
        return self._told(len(self._kept))

    def mask(self, text: str) -> str:
        """A whole text."""
        return self._without(text, len(text))[0]

    def _told(self, safe: int) -> str:
        """What is before `safe`, where no secret begins that is not over; a secret across it is told as a whole."""
        told, end = self._without(self._kept, safe)
        self._kept = self._kept[end:]
        return told

    def _without(self, text: str, until: int) -> tuple[str, int]:
        """The text up to a place, and where that is: behind the last secret that begins before it."""
        told, at = [], 0
        while (found := self._forms.find(text, at, until)) is not None:
            told += [text[at : found[0]], MASK]
            at = found[1]
        told.append(text[at:until])
        return "".join(told), max(at, until)


class Forms:
    """Every way in which some secrets are looked for.

    For a key of many lines these are thousands, so they are found by the order of their letters and not one by one.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        written = {form for secret in secrets for form in _forms(secret) if form.strip()}
        self._sorted = sorted({part for form in written for part in _parts(form)})
        self._longest = max(map(len, self._sorted), default=0)
        self._shorter = _shorter(self._sorted)
        self._head = re.compile(_heads(self._sorted))

    def find(self, text: str, at: int, until: int) -> tuple[int, int] | None:
        """Where the first one begins and ends that begins from `at` on and before `until`; the longest of several."""
        while self._sorted and (head := self._head.search(text, at, until + 1)) is not None and head.start() < until:
            at = head.start()
            length = self._length_at(text, at)
            if length:
                return at, at + length
            at += 1
        return None

    def _length_at(self, text: str, at: int) -> int:
        # Those that the text may go on with stand before it in their order, and the shorter ones of them before those.
        number = bisect_right(self._sorted, text[at : at + self._longest]) - 1
        while number >= 0 and not text.startswith(self._sorted[number], at):
            number = self._shorter[number]
        return len(self._sorted[number]) if number >= 0 else 0

    def unfinished(self, text: str) -> int:
        """Where the first one begins within which the text ends; its length if there is none."""
        first = max(0, len(text) - self._longest)
        return next((at for at in range(first, len(text)) if self._goes_on(text[at:])), len(text))

    def _goes_on(self, begun: str) -> bool:
        number = bisect_right(self._sorted, begun)
        return number < len(self._sorted) and self._sorted[number].startswith(begun)


def _parts(form: str) -> Iterator[str]:
    size = -(-len(form) // -(-len(form) // _LONGEST))
    return (form[at : at + size] for at in range(0, len(form), size))


def _shorter(forms: Sequence[str]) -> list[int]:
    """For each form the longest other that it begins with, by its number; -1 for none."""
    found: list[int] = []
    above: list[int] = []
    for number, form in enumerate(forms):
        while above and not form.startswith(forms[above[-1]]):
            above.pop()
        found.append(above[-1] if above else -1)
        above.append(number)
    return found


def _heads(forms: Sequence[str]) -> str:
    """A pattern of what forms begin with: their first two letters, or the only one."""
    seconds: dict[str, set[str]] = {}
    for form in forms:
        seconds.setdefault(form[0], set()).add(form[1:2])
    return "|".join(
        re.escape(first) + ("" if "" in after else f"[{''.join(map(re.escape, sorted(after)))}]")
        for first, after in seconds.items()
    )


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield secret.strip()
    lines = [line.strip() for line in secret.splitlines()]
    for part in {secret, secret.strip(), *(line for line in lines if len(line) >= _LEAST_ENCODED)}:
        yield part
        if len(part) >= _LEAST_ENCODED:
            yield from _encoded(part)


def _encoded(text: str) -> Iterator[str]:
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped)[1:-1]
    raw = text.encode(errors="surrogatepass")
    for quoted in (
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        quote(raw, safe="!*'()"),
        quote_plus(raw, safe="*"),
    ):
        yield quoted
        yield re.sub("%..", lambda match: match[0].lower(), quoted)
    yield text.replace("'", "'\\''")
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield raw.hex()
    yield raw.hex().upper()
    yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[str]:
    """As it looks in whatever it is a part of, but for the characters that its neighbours also decide."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        begin = (0, 2, 3)[before]
        end = len(whole) - (1 if (before + len(raw)) % 3 else 0)
        certain = whole[begin:end]
        if len(certain) < _LEAST_BASE64:
            continue
        for text in {certain, certain.translate(_URL_SAFE)}:
            yield text
            yield from (text[at : at + width] for width in _WRAPPED for at in _breaks(len(text), width, begin))


def _breaks(length: int, width: int, begin: int) -> Iterator[int]:
    """Where the pieces of long base64 begin, if its first character stood at the begin of a line."""
    if length + begin > width:
        first = width - begin if begin else 0
        yield from (at for at in (0, *range(first or width, length, width)) if length - at >= _LEAST_BASE64)


_URL_SAFE = str.maketrans("+/", "-_")
