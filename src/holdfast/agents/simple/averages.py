"""Averages that may be of rows, or of what several rows come to: `average spend per customer`, `average daily weight`.

Where a row is the thing itself, or what is measured is not added up anyway, there is only one reading.
"""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Group, Measure, NotSure
from holdfast.agents.simple.quantities import SUMMED, Dimension, is_money
from holdfast.agents.simple.vocabulary import What
from holdfast.agents.simple.words import ADVERBS, words_of, words_of_name
from holdfast.types import Aggregate

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader

_MIDDLES = frozenset({Aggregate.AVG, Aggregate.MEDIAN})
_ADDED = frozenset({Dimension.MONEY, Dimension.INCOME, Dimension.WEIGHT, Dimension.PIECES, Dimension.DISTANCE})
_IN_ALL = SUMMED | {
    "weight", "kilos", "kg", "km", "kilometers", "kilometres", "quantity", "sales", "units", "pieces", "items",
    "nights", "days", "hours", "minutes", "amount", "revenues", "volume", "expenses", "costs", "spends",
}  # fmt: skip
"""What somebody, or a month, has in all; a `bill` or a `fare` is one."""
_COMING_AGAIN = frozenset({
    "customer", "client", "owner", "guest", "donor", "employee", "borrower", "patient", "user", "buyer", "passenger",
    "visitor", "supporter", "person", "people", "tenant", "student", "subscriber", "reader", "rider", "patron",
})  # fmt: skip
"""Those of whom a row is only one of their visits."""
_ONE = frozenset({"a", "an", "one", "each", "every", "single", "per"})
_PERIODS = frozenset({"daily", "weekly", "monthly", "quarterly", "yearly", "annual", "annually"})


def refuse_averages_of_sums(reader: "Reader") -> None:
    """Raises NotSure."""
    found = reader.found
    measure = found.measures[0]
    if measure.func not in _MIDDLES or found.rank is not None or not _is_added(measure, reader):
        return
    if any(group.bucket for group in found.groups):
        _refuse_by_time(reader)
    for group in found.groups:
        if _refusable(group, reader):
            raise NotSure(f"The average of its rows, or of the sums that each '{group.column}' has?")
    for chunk in reader.chunks:
        _refuse_of_one(chunk, reader)


def refuse_another_period(reader: "Reader") -> None:
    """What is paid every month, said `per year`, is no group of rows by the date they have."""
    found = reader.found
    buckets = [group for group in found.groups if group.bucket]
    for measure in found.measures:
        if buckets and _PERIODS & set(words_of_name(measure.column)) and not _says_a_date(reader, buckets):
            raise NotSure(f"'{measure.column}' is said for a period already: by which date is it to be grouped?")


def _says_a_date(reader: "Reader", buckets: list[Group]) -> bool:
    dates = {(group.table, group.column) for group in buckets}
    nouns = (chunk for chunk in reader.chunks if chunk.piece in (Piece.NOUN, Piece.BEGAN, Piece.BEGAN_THEN))
    named = any(dates & {(each.table, each.column) for each in chunk.meanings} for chunk in nouns)
    return named or any(chunk.piece in (Piece.BEGAN, Piece.BEGAN_THEN) for chunk in reader.chunks)


def _is_added(measure: Measure, reader: "Reader") -> bool:
    vocabulary = reader.vocabulary
    if measure.column == "*" or vocabulary.is_of_one(measure.table, measure.column):
        return False
    dimensions = vocabulary.dimensions(measure.table, measure.column)
    number = any(chunk.piece is Piece.COUNT for chunk in reader.chunks)
    counted = Dimension.DURATION in dimensions and (number or _in_all(reader))
    return "price" not in words_of_name(measure.column) and (bool(dimensions & _ADDED) or counted)


def _in_all(reader: "Reader") -> bool:
    """Whether what is measured is said so that it may be all there is; an order's amount is that of one."""
    said = any(chunk.text in _IN_ALL or chunk.piece is Piece.COUNT for chunk in reader.chunks)
    return said and not _names_a_row(reader)


def _names_a_row(reader: "Reader") -> bool:
    """`average order value per customer`: the rows are named before what they are grouped by."""
    by = next((place for place, chunk in enumerate(reader.chunks) if chunk.piece is Piece.BY), len(reader.chunks))
    base = reader.found.base
    row = reader.vocabulary.row_nouns.get(base)
    for chunk in reader.chunks[:by]:
        tables = {each.table for each in chunk.naming(What.TABLE) if each.rank < 2}
        said = tuple(word.stem for word in words_of(chunk.text))
        if chunk.piece is Piece.NOUN and base in tables and row in (None, said) and not is_money(chunk.text):
            return True
    return False


def _refuse_by_time(reader: "Reader") -> None:
    adverb = any(chunk.piece is Piece.BUCKET and chunk.text in ADVERBS for chunk in reader.chunks)
    after = any(chunk.text in ("on average", "on the average") for chunk in reader.chunks)
    if adverb or after or _in_all(reader):
        raise NotSure("The average of the rows, or of what they come to in each of these spans of time?")


def _refusable(group: Group, reader: "Reader") -> bool:
    vocabulary = reader.vocabulary
    if group.bucket or vocabulary.is_unique(group.table, group.column) or _names_a_row(reader):
        return False
    if not _is_somebody(group.table, group.column, reader):
        return False
    return _in_all(reader) or bool(_COMING_AGAIN & set(words_of_name(group.column)))


def _is_somebody(table: str, column: str, reader: "Reader") -> bool:
    words = words_of_name(column)
    return column in reader.vocabulary.persons(table) or (len(words) > 1 and words[-1] in ("id", "no", "name"))


def _refuse_of_one(chunk: Chunk, reader: "Reader") -> None:
    """`a guest … on average`: all that each of them has, where their rows are several."""
    place = reader.place(chunk)
    before = reader.chunks[place - 1].text if place else ""
    said = chunk.piece is Piece.NOUN and before in _ONE and not _names_a_row(reader)
    columns = chunk.naming(What.COLUMN) if said else []
    for each in columns:
        own = chunk.naming(What.TABLE) or reader.vocabulary.is_unique(each.table, each.column)
        if each.rank < 3 and not own and _is_somebody(each.table, each.column, reader):
            raise NotSure(f"The average of its rows, or of the sums that each '{chunk.text}' has?")
