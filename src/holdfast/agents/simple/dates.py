"""Spans of time in a question: a day, a month, a year, and what begins or ends with one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

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
_BEFORE = frozenset({"before"})
_DAY = re.compile(r"(\d{1,2})(st|nd|rd|th)?")
_JOINED = frozenset({"of", "the"})
_JOINING = frozenset({"and", "to", "through"})


_SINGULAR = {f"{unit}s": unit for unit in ("hour", "day", "week", "month", "quarter", "year")}
_UNITS = frozenset(_SINGULAR.values())
_BEFORE_THIS = frozenset({"last", "previous"})
_LATELY = frozenset({"last", "past"})


@dataclass(frozen=True, slots=True)
class Relative:
    """A span that is told from the newest date of the data: so many units up to it, or a whole one, `back` from it.

    `the last month` is `vague`: a calendar month, or thirty days.
    """

    unit: str
    count: int = 0
    back: int = 0
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """From a day to before another; without `year` it is that month of whichever year there is.

    `from 3 May 2026` is `vague`: on that day, or since.
    """

    start: date | None
    end: date | None
    month_only: int | None = None
    relative: Relative | None = None
    day_only: int | None = None
    vague: bool = False


def span_at(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    """The span that begins at this word, and where it ends."""
    word = words[place].text
    if (told := _relative_at([each.text for each in words[place : place + 3]])) is not None:
        vague = word == "last" and place > 0 and words[place - 1].text == "the"
        return Span(None, None, relative=replace(told[0], vague=vague)), place + told[1]
    if word in ("since", "before", "after") and place + 1 < len(words):
        found = _whole_at(words, place + 1)
        if found is None or found[0].start is None or found[0].end is None:
            return None
        span, end = found
        return _open(word, span), end
    if word in ("between", "from") and (joined := _between(words, place)) is not None:
        return joined
    found = _whole_at(words, place)
    if found and place > 0 and words[place - 1].text == "from" and _is_a_day(found[0]):
        return replace(found[0], vague=True), found[1]
    return found


def _is_a_day(span: Span) -> bool:
    return span.start is not None and span.end == span.start + timedelta(days=1)


def _relative_at(texts: list[str]) -> tuple[Relative, int] | None:
    """`last month`, `this year`, `the last 7 days`, `yesterday`; and how many words that are."""
    word, after = texts[0], texts[1:] or [""]
    if word in ("today", "yesterday"):
        return Relative("day", back=int(word == "yesterday")), 1
    if word == "this" and after[0] in _UNITS:
        return Relative(after[0]), 2
    if word in _BEFORE_THIS and after[0] in _UNITS:
        return Relative(after[0], back=1), 2
    unit = _SINGULAR.get(after[-1], after[-1])
    if word in _LATELY and len(after) == 2 and after[0].isdigit() and unit in _UNITS and 0 < int(after[0]) <= 1000:
        return Relative(unit, count=int(after[0])), 3
    return None


def since(relative: Relative, newest: datetime) -> datetime | None:
    """The moment so many units before the newest one; `None` where there is none."""
    if relative.unit in ("hour", "day", "week"):
        return newest - relative.count * timedelta(**{f"{relative.unit}s": 1})
    months = relative.count * {"month": 1, "quarter": 3, "year": 12}[relative.unit]
    year, month = divmod(newest.year * 12 + newest.month - 1 - months, 12)
    last = (_after_month(year, month + 1) - timedelta(days=1)).day if year > 0 else 0
    return newest.replace(year=year, month=month + 1, day=min(newest.day, last)) if last else None


def whole(relative: Relative, newest: date) -> Span | None:
    """The day, month, quarter or year of the newest date, or the one before; `None` for what has no agreed start."""
    if relative.unit == "day":
        day = newest - timedelta(days=relative.back)
        return Span(day, day + timedelta(days=1))
    length = {"month": 1, "quarter": 3, "year": 12}.get(relative.unit)
    if length is None or relative.vague:
        return None
    months = newest.year * 12 + newest.month - 1
    first = months - months % length - relative.back * length
    start, end = (date(each // 12, each % 12 + 1, 1) for each in (first, first + length))
    return Span(start, end)


def _open(word: str, span: Span) -> Span:
    if word in _BEFORE:
        return Span(None, span.start)
    return Span(span.start if word == "since" else span.end, None)


def _between(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    first = _whole_at(words, place + 1) or _of_the_same_year(words, place + 1)
    if first is None or first[1] >= len(words) or words[first[1]].text not in _JOINING:
        return None
    if first[0].month_only is not None:
        first = _of_the_same_year(words, place + 1) or first
    last = _whole_at(words, first[1] + 1)
    if last is None or first[0].start is None or last[0].end is None:
        return None
    return Span(first[0].start, last[0].end), last[1]


def _of_the_same_year(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    """`1 July` of `between 1 July and 15 July 2024`: the year is said with the last."""
    texts = [word.text for word in words[place : place + 4]]
    link = next((at for at, text in enumerate(texts) if text in _JOINING), None)
    last = _whole_at(words, place + link + 1) if link else None
    if not link or last is None or last[0].start is None:
        return None
    dated = [*words[place : place + link], Word(str(last[0].start.year), str(last[0].start.year))]
    first = _whole_at(dated, 0)
    return (first[0], place + link) if first is not None and first[1] == len(dated) else None


def _whole_at(words: Sequence[Word], place: int) -> tuple[Span, int] | None:
    texts = [word.text for word in words[place : place + 6]]
    if not texts:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", texts[0]):
        year, month, day = map(int, texts[0].split("-"))
        return _day(year, month, day, place + 1)
    if _NUMBER_OF.get(texts[0]) and (texts[0] != "may" or _is_may(words, place)):
        return _from_month(texts, place)
    if _DAY.fullmatch(texts[0]):
        return _from_day(texts, place)
    return None


_BEFORE_MAY = frozenset(
    {"in", "during", "of", "since", "until", "from", "to", "for", "and", "between", "before", "after"}
)


def _is_may(words: Sequence[Word], place: int) -> bool:
    """Whether it is the month: `in May`, `May 2026`; and not `may I ask`."""
    after = words[place + 1].text if place + 1 < len(words) else ""
    return after.isdigit() or (place > 0 and words[place - 1].text in _BEFORE_MAY and after not in ("i", "we", "you"))


def _from_month(texts: list[str], place: int) -> tuple[Span, int] | None:
    """`February 2026`, `February 1, 2026`, `February`."""
    month = _NUMBER_OF[texts[0]]
    if len(texts) > 1 and (year := _year(texts[1])):
        return Span(date(year, month, 1), _after_month(year, month)), place + 2
    after, day = _ordinal(texts, 1)
    if day and len(texts) > after and (year := _year(texts[after])):
        return _day(year, month, day, place + after + 1)
    if day:
        return Span(None, None, month, day_only=day), place + after
    return Span(None, None, month), place + 1


def _from_day(texts: list[str], place: int) -> tuple[Span, int] | None:
    """`1 February 2026`, `1st of February 2026`."""
    after, day = _ordinal(texts, 0)
    while after < len(texts) and texts[after] in _JOINED:
        after += 1
    month = _NUMBER_OF.get(texts[after]) if after < len(texts) else None
    year = _year(texts[after + 1]) if month and after + 1 < len(texts) else None
    if month and day and not year:
        return Span(None, None, month, day_only=day), place + after + 1
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


def months_between(month: int, low: str, high: str, day: int | None = None) -> list[Span]:
    """That month, or that day of it, of every year of a range of dates."""
    first, last = date.fromisoformat(low[:10]), date.fromisoformat(high[:10])
    years = [year for year in range(first.year, last.year + 1) if 1 <= year < 9999]
    if day is not None:
        found = [_day(year, month, day, 0) for year in years]
        spans = [each[0] for each in found if each is not None]
    else:
        spans = [Span(date(year, month, 1), _after_month(year, month)) for year in years]
    return [span for span in spans if span.start and span.end and span.start <= last and span.end > first]
