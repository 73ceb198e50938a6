"""What numbers measure: which columns are money, a weight or a length of time, and the words that speak of each.

A column is known by the words of its name, by the unit its name ends with, and by what is said about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from holdfast.agents.simple.words import NAME_UNITS, Word, words_of, words_of_name
from holdfast.types import Aggregate, Operator


class Dimension(StrEnum):
    """What a column says of a row."""

    MONEY = "money"
    INCOME = "income"
    """Money that is asked for the thing itself; not a cost, a fee on top, or a wage."""

    COST = "cost"
    """What a thing may be said to cost."""

    PAY = "pay"
    """What somebody is paid."""

    DURATION = "duration"
    WEIGHT = "weight"
    DISTANCE = "distance"
    HEIGHT = "height"
    TEMPERATURE = "temperature"
    HUMIDITY = "humidity"
    AGE = "age"
    RATING = "rating"
    SPEED = "speed"
    PIECES = "pieces"
    SHARE = "share"
    DELAY = "delay"
    DATE = "date"


_D = Dimension
_BY_WORD: dict[str, Dimension] = {
    **dict.fromkeys(
        ("price", "cost", "fee", "amount", "revenue", "salary", "wage", "fare", "fine", "bill", "charge", "payment",
         "premium", "deposit", "income", "turnover", "tip", "donation", "rent", "budget", "bonus", "expense", "tax",
         "spend", "spending", "earning", "sale", "profit", "vat"),
        _D.MONEY,
    ),
    **dict.fromkeys(("duration", "minute", "hour", "day", "night", "second", "week"), _D.DURATION),
    "weight": _D.WEIGHT,
    **dict.fromkeys(("distance", "mileage", "kilometer", "kilometre", "mile"), _D.DISTANCE),
    "height": _D.HEIGHT,
    **dict.fromkeys(("temperature", "temp"), _D.TEMPERATURE),
    "humidity": _D.HUMIDITY,
    "age": _D.AGE,
    **dict.fromkeys(("rating", "score", "satisfaction", "csat", "star"), _D.RATING),
    "speed": _D.SPEED,
    **dict.fromkeys(("quantity", "qty", "stock", "piece", "unit"), _D.PIECES),
    **dict.fromkeys(("percent", "pct", "percentage", "share", "ratio"), _D.SHARE),
    **dict.fromkeys(("delay", "late", "overdue"), _D.DELAY),
}  # fmt: skip
_BY_UNIT: dict[str, Dimension] = {
    **dict.fromkeys(("eur", "usd", "gbp", "chf", "euro", "dollar", "pound", "musd", "meur", "mgbp"), _D.MONEY),
    **dict.fromkeys(("min", "hr", "h", "sec", "s"), _D.DURATION),
    **dict.fromkeys(("kg", "g", "lb"), _D.WEIGHT),
    **dict.fromkeys(("km", "mi"), _D.DISTANCE),
    **dict.fromkeys(("c", "f"), _D.TEMPERATURE),
    **dict.fromkeys(("kmh", "mph"), _D.SPEED),
}
_NOT_FOR_THE_THING = frozenset({
    "cost", "wage", "salary", "expense", "tax", "tip", "deposit", "shipping", "discount", "bonus", "fine", "budget",
    "profit", "vat",
})  # fmt: skip
_PAY = frozenset({"salary", "wage", "pay", "paycheck"})
_TAKEN_IN = frozenset({"revenue", "sale", "turnover", "income", "earning", "gross", "office", "donation"})
_NO_COST = (_NOT_FOR_THE_THING - {"cost", "expense", "shipping", "budget"}) | _TAKEN_IN
_LAID_OUT = frozenset({"expense", "cost", "spending", "purchase", "expenditure"})
_SPENDING = frozenset({"spend", "spent", "spending", "pay", "paid", "pays", "paying"})
_EARNING = frozenset({
    "revenue", "income", "turnover", "earnings", "takings", "proceeds", "earn", "earned", "earns", "earning", "raised",
    "raise", "donated",
})  # fmt: skip
_SAID_MONEY = frozenset({"dollar", "euro", "pound", "eur", "usd", "gbp"})
_TOTALS = frozenset({"total", "amount", "value"})
ADDITIVE = frozenset({_D.MONEY, _D.INCOME, _D.DURATION, _D.WEIGHT, _D.DISTANCE, _D.PIECES})
"""What can be added up."""

FELT = frozenset({_D.TEMPERATURE, _D.HUMIDITY, _D.SPEED})
"""What is measured at a moment: the highest is that of one row."""


def is_a_rate(name: str) -> bool:
    """`price_per_kg`: the price of one, which cannot be added up."""
    return "per" in words_of_name(name) or bool({"unit", "rate"} & set(words_of_name(name)))


def is_money(noun: str) -> bool:
    """Whether a thing is called as money is: a donation, an expense."""
    words = words_of_name(noun)
    return bool(words) and _BY_WORD.get(words[-1]) is _D.MONEY


def is_the_amount(name: str) -> bool:
    """Whether its name says that it is all of it: `amount`, `total_eur`; not `tax_amount`."""
    words = [word for word in words_of_name(name) if word not in NAME_UNITS]
    return len(words) == 1 and words[0] in _TOTALS


def dimensions(name: str, description: str) -> frozenset[Dimension]:
    """What a column of numbers measures."""
    words = words_of_name(name)
    found = _by_name(words) or _by_description({word.stem for word in words_of(description)})
    if "price" in words:
        found.discard(_D.PIECES)
    if _D.DELAY in found:
        found.discard(_D.DURATION)
    return frozenset(found | (_kinds_of_money(set(words)) if _D.MONEY in found else set()))


def _by_name(words: tuple[str, ...]) -> set[Dimension]:
    """By its words, and the unit at its end; after `per` only money is that of the column."""
    rated = "per" in words
    said = words[: words.index("per")] if rated else words
    found = {_BY_WORD[word] for word in said if word in _BY_WORD}
    unit = _BY_UNIT.get(words[-1]) if words else None
    whole = len(words) > 1 or len(words[-1]) > 1 if words else False
    if unit is not None and whole and (unit is _D.MONEY or not rated):
        found.add(unit)
    return found


def _by_description(said: set[str]) -> set[Dimension]:
    if said & _SAID_MONEY:
        return {_D.MONEY}
    return {_D.SHARE} if "percent" in said else set()


def _kinds_of_money(words: set[str]) -> set[Dimension]:
    kinds = ((_D.INCOME, not words & _NOT_FOR_THE_THING), (_D.COST, not words & _NO_COST), (_D.PAY, words & _PAY))
    return {kind for kind, holds in kinds if holds}


@dataclass(frozen=True, slots=True)
class Scale:
    """Which way an adjective points on what it can be said of: the oldest has the highest age, or the first date."""

    ways: Mapping[Dimension, int] = field(default_factory=dict)
    any: int = 0
    """The same, of whatever it is."""

    def way(self, measured: frozenset[Dimension]) -> int:
        """1 for the highest, -1 for the lowest; 0 if it cannot be said of that."""
        if self.any:
            return self.any
        ways = {way for dimension, way in self.ways.items() if dimension in measured}
        return ways.pop() if len(ways) == 1 else 0

    def func(self, measured: frozenset[Dimension]) -> Aggregate | None:
        """The same as an aggregate."""
        return {1: Aggregate.MAX, -1: Aggregate.MIN}.get(self.way(measured))


_ADJECTIVES: tuple[tuple[str, str, str, dict[Dimension, int]], ...] = (
    ("long", "longer", "longest", {_D.DURATION: 1, _D.DISTANCE: 1}),
    ("short", "shorter", "shortest", {_D.DURATION: -1, _D.DISTANCE: -1, _D.HEIGHT: -1}),
    ("old", "older", "oldest", {_D.AGE: 1, _D.DATE: -1}),
    ("young", "younger", "youngest", {_D.AGE: -1}),
    ("new", "newer", "newest", {_D.DATE: 1}),
    ("recent", "more recent", "most recent", {_D.DATE: 1}),
    ("late", "later", "latest", {_D.DATE: 1}),
    ("early", "earlier", "earliest", {_D.DATE: -1}),
    ("last", "after", "last", {_D.DATE: 1}),
    ("first", "before", "first", {_D.DATE: -1}),
    ("hot", "hotter", "hottest", {_D.TEMPERATURE: 1}),
    ("warm", "warmer", "warmest", {_D.TEMPERATURE: 1}),
    ("cold", "colder", "coldest", {_D.TEMPERATURE: -1}),
    ("cool", "cooler", "coolest", {_D.TEMPERATURE: -1}),
    ("humid", "more humid", "most humid", {_D.HUMIDITY: 1}),
    ("damp", "damper", "dampest", {_D.HUMIDITY: 1}),
    ("dry", "drier", "driest", {_D.HUMIDITY: -1}),
    ("heavy", "heavier", "heaviest", {_D.WEIGHT: 1}),
    ("light", "lighter", "lightest", {_D.WEIGHT: -1}),
    ("expensive", "more expensive", "most expensive", {_D.INCOME: 1}),
    ("costly", "more costly", "most costly", {_D.INCOME: 1}),
    ("pricey", "pricier", "priciest", {_D.INCOME: 1}),
    ("cheap", "cheaper", "cheapest", {_D.INCOME: -1}),
    ("valuable", "more valuable", "most valuable", {_D.INCOME: 1}),
    ("happy", "happier", "happiest", {_D.RATING: 1}),
    ("satisfied", "more satisfied", "most satisfied", {_D.RATING: 1}),
    ("good", "better", "best", {_D.RATING: 1}),
    ("bad", "worse", "worst", {_D.RATING: -1}),
    ("well paid", "better paid", "best paid", {_D.PAY: 1}),
    ("well paid", "higher paid", "highest paid", {_D.PAY: 1}),
    ("badly paid", "lower paid", "lowest paid", {_D.PAY: -1}),
    ("highly rated", "higher rated", "highest rated", {_D.RATING: 1}),
    ("far", "farther", "farthest", {_D.DISTANCE: 1}),
    ("far", "further", "furthest", {_D.DISTANCE: 1}),
    ("tall", "taller", "tallest", {_D.HEIGHT: 1}),
    ("fast", "faster", "fastest", {_D.SPEED: 1, _D.DURATION: -1}),
    ("quick", "quicker", "quickest", {_D.SPEED: 1, _D.DURATION: -1}),
    ("slow", "slower", "slowest", {_D.SPEED: -1, _D.DURATION: 1}),
)
SUPERLATIVES: dict[str, Scale] = {superlative: Scale(ways) for _, _, superlative, ways in _ADJECTIVES}
SUPERLATIVES["lowest rated"] = Scale({_D.RATING: -1})
SUPERLATIVES["least expensive"] = Scale({_D.INCOME: -1})
_NOT_ASKED = frozenset({"new", "late", "good", "last", "first", "early", "recent", "bad"})
HOW: dict[str, frozenset[Dimension]] = {
    f"how {plain}": frozenset(ways) - {_D.DATE} for plain, _, _, ways in _ADJECTIVES if plain not in _NOT_ASKED
}
HOW["how long"] = frozenset({_D.DURATION})
_NOT_COMPARED = frozenset({"better", "worse", "fast", "quick", "slow"})
COMPARATIVES: dict[str, tuple[Operator, frozenset[Dimension]]] = {
    f"{comparative} than": (
        Operator.GREATER if next(iter(ways.values())) > 0 else Operator.LESS,
        frozenset({next(iter(ways))}) | (frozenset(ways) if len(set(ways.values())) == 1 else frozenset()),
    )
    for plain, comparative, _, ways in _ADJECTIVES
    if plain not in _NOT_COMPARED and comparative not in _NOT_COMPARED and next(iter(ways)) is not _D.DATE
}

SPEAKING_OF: dict[str, frozenset[Dimension]] = {
    **dict.fromkeys(
        ("revenue", "income", "turnover", "earnings", "takings", "worth", "spent", "spend",
         "charged", "charge", "priced", "price", "prices", "value", "amount", "money", "proceeds", "spending",
         "raise", "raised", "billed", "donated", "$", "€", "£"),
        frozenset({_D.INCOME}),
    ),
    **dict.fromkeys(
        ("earn", "earns", "earned", "earning", "paid", "pay", "pays", "paying"), frozenset({_D.INCOME, _D.PAY})
    ),
    **dict.fromkeys(("cost", "costs", "costing", "costed", "expenses"), frozenset({_D.COST})),
    **dict.fromkeys(("euro", "euros", "eur", "dollar", "dollars", "usd", "pounds", "gbp"), frozenset({_D.INCOME})),
    **dict.fromkeys(
        ("kilo", "kilos", "kilogram", "kilograms", "kg", "weigh", "weighs", "weighed", "weighing"),
        frozenset({_D.WEIGHT}),
    ),
    **dict.fromkeys(
        ("km", "kilometer", "kilometers", "kilometre", "kilometres", "mile", "miles"), frozenset({_D.DISTANCE})
    ),
    **dict.fromkeys(
        ("stay", "stays", "stayed", "take", "takes", "took", "taken", "taking", "lasted", "lasts", "lasting",
         "minutes", "hours", "days", "nights", "seconds", "minute", "hour", "weeks"),
        frozenset({_D.DURATION}),
    ),
    **dict.fromkeys(("aged",), frozenset({_D.AGE})),
    **dict.fromkeys(("rated", "rating", "ratings", "satisfaction", "score", "scores"), frozenset({_D.RATING})),
    **dict.fromkeys(("pieces", "units", "items"), frozenset({_D.PIECES})),
    **dict.fromkeys(("degrees",), frozenset({_D.TEMPERATURE})),
}  # fmt: skip
"""Verbs, nouns and units that speak of what a column measures, though it is called otherwise."""

TAKINGS = frozenset({
    "revenue", "income", "turnover", "earnings", "takings", "proceeds", "spending",
})  # fmt: skip
SUMMED = TAKINGS | {
    "raise",
    "raised",
    "billed",
    "donated",
    "spent",
    "spend",
    "paid",
    "pay",
    "earned",
    "earn",
    "money",
    "charged",
    "charge",
}
"""Those of them that speak of all of it: `how much did we earn`; `how much does one cost` does not."""

_UNIT_WORDS = {"minutes": "min", "minute": "min", "hours": "hour", "hour": "hour", "days": "day", "nights": "night",
               "seconds": "second", "weeks": "week", "mile": "mile", "miles": "mile"}  # fmt: skip
_UNIT_WORDS |= dict.fromkeys(("kilo", "kilos", "kilogram", "kilograms", "kg"), "kg")
_UNIT_WORDS |= dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), "km")
_UNIT_WORDS |= dict.fromkeys(("euro", "euros", "eur"), "eur") | dict.fromkeys(("dollar", "dollars", "usd"), "usd")
_UNIT_WORDS |= dict.fromkeys(("pounds", "gbp"), "gbp") | {"$": "usd", "€": "eur", "£": "gbp"}
_SPELLED = {"minute": "min", "hr": "hour", "h": "hour", "sec": "second", "s": "second", "kilogram": "kg", "mi": "mile",
            "kilometer": "km", "euro": "eur", "dollar": "usd", "pound": "gbp"}  # fmt: skip
_ALL_UNITS = frozenset(_UNIT_WORDS.values()) | frozenset({"g", "lb", "chf", "month", "year"})


def in_that_unit(said: str, name: str, description: str) -> bool:
    """Whether a column may be in the unit that is said; money may be, where its name has no other unit."""
    unit = _UNIT_WORDS.get(said)
    if unit is None:
        return True
    words = {_SPELLED.get(word, word) for word in words_of_name(name)}
    own = words | {_SPELLED.get(word.stem, word.stem) for word in words_of(description)} if description else words
    if unit in own:
        return True
    return unit in ("eur", "usd", "gbp") and not own & _ALL_UNITS


def goes_the_other_way(said: str, table: str, name: str) -> bool:
    """Whether money was taken in and the word says it was spent, or the other way round."""
    if said in _SPENDING:
        return bool(_TAKEN_IN & set(words_of_name(name)))
    return said in _EARNING and bool(_LAID_OUT & set(words_of_name(table)))


def speaks_of(word: Word) -> frozenset[Dimension]:
    """What a word is about."""
    return SPEAKING_OF.get(word.text, frozenset())
