"""Questions of which each word is understood, and which still mean two things: these are not answered."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.agents.simple.averages import refuse_another_period, refuse_averages_of_sums
from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Choice, Findings, Group, Measure, NotSure, Test
from holdfast.agents.simple.quantities import ADDITIVE
from holdfast.agents.simple.together import (
    refuse_first_within_each,
    refuse_names_of_several,
    refuse_sums_and_counts_of_one,
    refuse_weights_of_some,
    refuse_what_is_so_now,
)
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import words_of
from holdfast.types import Aggregate, Operator

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader

_ADDED_UP = frozenset({Aggregate.COUNT, Aggregate.SUM})
_NOTHING_IS_A_VALUE = _ADDED_UP | {Aggregate.COUNT_DISTINCT}
_MIDDLES = frozenset({Aggregate.AVG, Aggregate.MEDIAN})


def ask_about_guesses(reader: "Reader") -> None:
    """A word spelled nearly like another may be that one, or something else: Austria and Australia. Raises Unclear."""
    for chunk in reader.chunks:
        if any(each.guessed for each in chunk.meanings):
            choices = [Choice(_written(each), each.table, each.column) for each in chunk.meanings]
            chosen = reader.choose(chunk, list(dict.fromkeys(choices)))
            place = (chosen.table, chosen.column)
            chunk.meanings = [each for each in chunk.meanings if (each.table, each.column) == place]


def _written(meaning: Meaning) -> str:
    """As it is in the data."""
    return f"'{meaning.value}' in {meaning.column}" if meaning.value else meaning.column or meaning.table


def refuse_rows_or_sum(numbers: Sequence[Meaning]) -> None:
    """`how many sales`, where `sales` is a column of numbers as well. Raises NotSure."""
    for each in numbers:
        if each.rank == 0:
            raise NotSure(f"Are the rows to be counted, or the numbers in '{each.column}' to be added up?")


def refuse_doubtful(reader: "Reader") -> None:
    """Raises NotSure."""
    found = reader.found
    _refuse_both_at_once(found)
    _refuse_sums_of_some(reader)
    refuse_first_within_each(reader)
    refuse_what_is_so_now(reader)
    refuse_names_of_several(reader)
    refuse_sums_and_counts_of_one(reader)
    refuse_weights_of_some(reader)
    if found.listed:
        return _refuse_all_or_never(found)
    _refuse_several_together(reader)
    _refuse_two_counts(reader)
    _refuse_never(found)
    _refuse_groups_of_one(reader)
    _refuse_the_fewest_of_some(reader)
    _refuse_an_average_for_each_row(reader)
    refuse_averages_of_sums(reader)
    refuse_another_period(reader)


def _refuse_all_or_never(found: Findings) -> None:
    """Without a condition, nothing was said but a name; and who has not once may be another than who never has."""
    if not found.tests and found.order is None:
        raise NotSure("I can list rows that are so or so; I do not see which are meant.")
    if found.distinct and any(_denies(test) for test in found.tests):
        raise NotSure("Those for whom that is so of all rows, or of some?")


def _refuse_sums_of_some(reader: "Reader") -> None:
    """Customers who spent more than 500 may have done so at once, or in sum."""
    found = reader.found
    several = found.distinct or any(each.func is Aggregate.COUNT_DISTINCT for each in found.measures)
    if not several or _ONCE & {word for chunk in reader.chunks for word in chunk.text.split()}:
        return
    for test in found.tests:
        compared = test.op in _COMPARED and not isinstance(test.value, str)
        if compared and reader.vocabulary.dimensions(test.table, test.column) & ADDITIVE:
            raise NotSure(f"Is '{test.column}' so in one row, or what they come to?")


_COMPARED = frozenset(
    {Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.BETWEEN}
)
_ONCE = frozenset({"ever", "single", "once"})


def _refuse_both_at_once(found: Findings) -> None:
    """`remote and not remote` is no row."""
    equal: dict[tuple[str, str], object] = {}
    for test in found.tests:
        if test.op is Operator.EQUAL and equal.setdefault((test.table, test.column), test.value) != test.value:
            raise NotSure(f"'{test.column}' cannot be both at once.")


def _refuse_several_together(reader: "Reader") -> None:
    """`average price of Books and Toys`: one for each, or one for both? A sum of both is what they add up to."""
    found = reader.found
    if found.measures[0].func in _ADDED_UP or any(chunk.piece is Piece.OR for chunk in reader.chunks):
        return
    grouped = {(group.table, group.column) for group in found.groups}
    for test in found.tests:
        if test.op is Operator.IN and (test.table, test.column) not in grouped:
            raise NotSure(f"For each of them, or for all together? Say 'by {test.column}', or 'or' instead of 'and'.")


def _refuse_two_counts(reader: "Reader") -> None:
    """`items and orders`: what stands behind an `and` has a part of its own, or it asks for something else."""
    for chunk in reader.chunks:
        after = reader.after(chunk) if chunk.piece is Piece.AND else None
        if after is not None and _only_names_rows(after, reader):
            raise NotSure("I can answer one question at a time.")


def _only_names_rows(noun: Chunk, reader: "Reader") -> bool:
    if noun.piece is not Piece.NOUN or not noun.naming(What.TABLE) or noun.naming(What.VALUE):
        return False
    found = reader.found
    parts: list[Group | Measure | Test] = [*found.groups, *found.measures, *found.tests]
    return not {(each.table, each.column) for each in parts} & {(each.table, each.column) for each in noun.meanings}


def _refuse_groups_of_one(reader: "Reader") -> None:
    """`how much tip per ride`, where each row is a ride: of each, or on average?"""
    found = reader.found
    if found.rank is None and any(
        group.table == found.base and group.bucket is None and reader.vocabulary.is_unique(group.table, group.column)
        for group in found.groups
    ):
        raise NotSure("Each of them is there once. Say 'average …', for example.")


def _refuse_never(found: Findings) -> None:
    """Borrowers who have not returned something may be those who never did, or those who once did not."""
    if found.measures[0].func is Aggregate.COUNT_DISTINCT and any(_denies(test) for test in found.tests):
        raise NotSure("Those for whom that is so of all rows, or of some?")


def _denies(test: Test) -> bool:
    return test.op in (Operator.IS_NULL, Operator.NOT_EQUAL, Operator.NOT_IN) or test.value is False


def _refuse_the_fewest_of_some(reader: "Reader") -> None:
    """Who has none of them is in no row that is counted, and would have the fewest."""
    found = reader.found
    if found.rank != "asc" or found.measures[0].func not in _NOTHING_IS_A_VALUE:
        return
    links = reader.vocabulary.dataset.relationships
    elsewhere = {(link.from_table, link.from_column) for link in links}
    if found.tests or any((group.table, group.column) in elsewhere for group in found.groups):
        raise NotSure("I would not see those that have none.")


def _refuse_an_average_for_each_row(reader: "Reader") -> None:
    """`average quantity per order`: of its rows, or of the sums that orders have?

    Per row of the table itself it is the plain average, and per sensor, of readings, that of each sensor.
    """
    found = reader.found
    if found.rank is not None or found.measures[0].func not in _MIDDLES:
        return
    for by in (chunk for chunk in reader.chunks if chunk.piece is Piece.BY and chunk.value != "row"):
        noun = reader.after(by)
        if noun is None or noun.piece is not Piece.NOUN or not noun.naming(What.TABLE):
            continue
        if not _grouped_by_another(noun, found, reader):
            raise NotSure(f"Each '{noun.text}' on its own, or what they come to on average?")


def _grouped_by_another(noun: Chunk, found: Findings, reader: "Reader") -> bool:
    """Whether it is a column of a table whose rows are known to be something else."""
    tables = {each.table for each in noun.naming(What.TABLE)}
    groups = {(group.table, group.column) for group in found.groups}
    columns = {(each.table, each.column) for each in noun.naming(What.COLUMN)} & groups
    row = reader.vocabulary.row_nouns.get(found.base)
    said = tuple(word.stem for word in words_of(noun.text))
    return tables == {found.base} and bool(columns) and row is not None and row != said
