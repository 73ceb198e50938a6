"""Secrets in what programs write: hidden in whatever form they are written, also when they come in pieces."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "***"
_LEAST_ENCODED = 4
"""Of a shorter secret, or line of one, an encoded form would be found in anything."""

_LEAST_BASE64 = 6
_WRAPPED = (76, 64)
"""After how many characters programs break lines of base64."""


class Masker:
    """Takes text as it comes. What could be the begin of a secret is kept back until more is known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = forms_of(secrets)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None
        self._kept = ""

    def feed(self, text: str) -> str:
        """The text that can be told by now."""
        self._kept += text
        return self._told(_safe(self._kept, self._forms))

    def finish(self) -> str:
        """The rest."""
        return self._told(len(self._kept))

    def mask(self, text: str) -> str:
        """A whole text."""
        return self._pattern.sub(MASK, text) if self._pattern is not None else text

    def _told(self, safe: int) -> str:
        """What is before `safe`, where no secret begins that is not over; a secret across it is told as a whole."""
        told, at = [], 0
        while self._pattern is not None and at < safe:
            match = self._pattern.search(self._kept, at)
            if match is None or match.start() >= safe:
                break
            told += [self._kept[at : match.start()], MASK]
            at = match.end()
        told.append(self._kept[at:safe])
        self._kept = self._kept[max(at, safe) :]
        return "".join(told)


def _safe(text: str, forms: tuple[str, ...]) -> int:
    """Before which place no form begins that the text ends within."""
    longest = max((_overlap(text, form) for form in forms), default=0)
    return len(text) - longest


def _overlap(text: str, form: str) -> int:
    """How long the longest end of the text is with which the form begins."""
    most = min(len(form) - 1, len(text))
    return next((length for length in range(most, 0, -1) if text.endswith(form[:length])), 0)


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every way in which these secrets are looked for, the longest first."""
    found = {form for secret in secrets for form in _forms(secret) if form.strip()}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


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
