"""Spans of time in a question: a day, a month, a year, and what begins or ends with one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from holdfast.agents.simple.words import Word

_MONTHS: tuple[str, ...] = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
)
_MONTHS += ("november", "december")
_NUMBER_OF = {name: number for number, name in enumerate(_MONTHS, 1)}
_NUMBER_OF |= {name[:3]: number for name, number in _NUMBER_OF.items() if name != "may"} | {"sept": 9}
_AFTER = frozenset({"since", "from"})
_BEFORE = frozenset({"before", "until"})
_DAY = re.compile(r"(\d{1,2})(st|nd|rd|th)?")
_JOINED = frozenset({"of", "the"})


@dataclass(frozen=True, slots=True)
class Span:
    """From a day to before another; without `year` it is that month of whichever year there is."""

    start: date | None
    end: date | None
    month_only: int | None = None


def span_at(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    """The span that begins at this word, and where it ends."""
    word = words[place].text
    if word in ("since", "before", "until", "after") and place + 1 < len(words):
        found = _whole_at(words, place + 1)
        if found is None or found[0].start is None or found[0].end is None:
            return None
        span, end = found
        return _open(word, span), end
    if word == "between":
        return _between(words, place)
    return _whole_at(words, place)


def _open(word: str, span: Span) -> Span:
    if word in _BEFORE:
        return Span(None, span.start)
    return Span(span.start if word == "since" else span.end, None)


def _between(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    first = _whole_at(words, place + 1)
    if first is None or first[1] >= len(words) or words[first[1]].text not in ("and", "to"):
        return None
    last = _whole_at(words, first[1] + 1)
    if last is None or first[0].start is None or last[0].end is None:
        return None
    return Span(first[0].start, last[0].end), last[1]


def _whole_at(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    texts = [word.text for word in words[place : place + 6]]
    if not texts:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", texts[0]):
        year, month, day = map(int, texts[0].split("-"))
        return _day(year, month, day, place + 1)
    if _NUMBER_OF.get(texts[0]) and (texts[0] != "may" or len(texts) > 1):
        return _from_month(texts, place)
    if _DAY.fullmatch(texts[0]):
        return _from_day(texts, place)
    return None


def _from_month(texts: list[str], place: int) -> tuple[Span, int] | None:
    """`February 2026`, `February 1, 2026`, `February`."""
    month = _NUMBER_OF[texts[0]]
    if len(texts) > 1 and (year := _year(texts[1])):
        return Span(date(year, month, 1), _after_month(year, month)), place + 2
    after, day = _ordinal(texts, 1)
    if day and len(texts) > after and (year := _year(texts[after])):
        return _day(year, month, day, place + after + 1)
    return None if day else (Span(None, None, month), place + 1)


def _from_day(texts: list[str], place: int) -> tuple[Span, int] | None:
    """`1 February 2026`, `1st of February 2026`."""
    after, day = _ordinal(texts, 0)
    while after < len(texts) and texts[after] in _JOINED:
        after += 1
    month = _NUMBER_OF.get(texts[after]) if after < len(texts) else None
    year = _year(texts[after + 1]) if month and after + 1 < len(texts) else None
    return _day(year, month, day, place + after + 2) if year and month else None


def _ordinal(texts: list[str], at: int) -> tuple[int, int]:
    """A day of a month, which may be two words (`1`, `st`), and where it ends; 0 is none."""
    if at >= len(texts) or not texts[at].isdigit() or not 0 < int(texts[at]) < 32:
        return at, 0
    suffixed = at + 1 < len(texts) and texts[at + 1] in ("st", "nd", "rd", "th")
    return at + 1 + suffixed, int(texts[at])


def _year(text: str) -> int | None:
    return int(text) if re.fullmatch(r"(19|20)\d\d", text) else None


def year_at(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    """A year alone, such as after `in`."""
    year = _year(words[place].text) if place < len(words) else None
    return (Span(date(year, 1, 1), date(year + 1, 1, 1)), place + 1) if year else None


def _day(year: int, month: int, day: int, end: int) -> tuple[Span, int] | None:
    try:
        start = date(year, month, day)
    except ValueError:
        return None
    return Span(start, start + timedelta(days=1)), end


def _after_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def months_between(month: int, low: str, high: str) -> list[Span]:
    """That month of every year of a range of dates."""
    first, last = date.fromisoformat(low[:10]), date.fromisoformat(high[:10])
    spans = [
        Span(date(year, month, 1), _after_month(year, month))
        for year in range(first.year, last.year + 1)
        if 1 <= year < 9999
    ]
    return [span for span in spans if span.start and span.end and span.start <= last and span.end > first]
