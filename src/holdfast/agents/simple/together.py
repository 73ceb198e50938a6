"""Questions that ask for more than one plan can say: the first within each, what is so now, counts of counts."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import NotSure
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.vocabulary import What
from holdfast.agents.simple.words import words_of_name
from holdfast.types import Aggregate

_OWNING = frozenset({"owner", "keeper", "parent", "holder", "customer"})

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader


def refuse_first_within_each(reader: "Reader") -> None:
    """`which agent has the most tickets in each category`: one of each. Raises NotSure."""
    found = reader.found
    ordered = found.rank is not None and len(found.groups) > 1
    if ordered or (found.listed and found.groups):
        raise NotSure("I can say what is first of all, not what is first within each of several groups.")


def refuse_sums_and_counts_of_one(reader: "Reader") -> None:
    """`who paid the most for one visit`: not what they paid in sum; `who has just one order`. Raises NotSure."""
    if not any(map(_is_of_one, reader.chunks, reader.chunks[1:])):
        return
    found, functions = reader.found, {each.func for each in reader.found.measures}
    if found.rank is not None and Aggregate.SUM in functions:
        raise NotSure("The most at once, or in sum? Say 'the highest …' or 'the highest total …'.")
    if functions & {Aggregate.COUNT, Aggregate.COUNT_DISTINCT}:
        raise NotSure("I cannot look for those that have just one of something.")


def _is_of_one(chunk: Chunk, following: Chunk) -> bool:
    one = chunk.text in ("one", "single") and chunk.piece is Piece.FILLER
    return one and bool(following.naming(What.TABLE))


def refuse_names_of_several(reader: "Reader") -> None:
    """Two owners may have a pet of that name: where the data know the owner, a name is no pet. Raises NotSure."""
    found, vocabulary = reader.found, reader.vocabulary
    told = [(each.table, each.column) for each in found.groups if found.rank is not None]
    told += [(each.table, each.column) for each in found.measures if each.func is Aggregate.COUNT_DISTINCT]
    told += [(found.base, name) for name in found.listed if found.distinct]
    for table, column in told:
        owned = any(_OWNING & set(words_of_name(each.name)) for each in vocabulary.tables[table].columns)
        if owned and column in vocabulary.named_things(table):
            raise NotSure(f"Several may be called the same in '{column}': I cannot tell one from another.")


def refuse_weights_of_some(reader: "Reader") -> None:
    """What a pet weighs is in the row of each of its visits: added up it says nothing. Raises NotSure."""
    vocabulary = reader.vocabulary
    for each in reader.found.measures:
        weight = each.column != "*" and Dimension.WEIGHT in vocabulary.dimensions(each.table, each.column)
        if weight and each.func is Aggregate.SUM and vocabulary.named_things(each.table):
            raise NotSure(f"'{each.column}' may be of the same one in several rows: added up it says nothing.")


def refuse_what_is_so_now(reader: "Reader") -> None:
    """Where rows are moments of things, how a thing is now is in its last row. Raises NotSure."""
    found = reader.found
    now = next((chunk for chunk in reader.chunks if chunk.piece is Piece.NOW), None)
    if now is None or not reader.vocabulary.dates(found.base) or reader.vocabulary.has_persons(found.base):
        return
    rows = bool(found.measures) and all(each.func is Aggregate.COUNT for each in found.measures)
    if found.distinct or (found.measures and not rows) or found.rank is not None:
        raise NotSure(f"Several rows may be of one thing: I cannot tell how it is '{now.text}'.")


def refuse_first_times(operations: list[Chunk]) -> None:
    """`customers with their first order in May`: the first of each is no minimum beside a count. Raises NotSure."""
    dated = [each for each in operations if each.scale is not None and Dimension.DATE in each.scale.ways]
    if dated and len(dated) < len(operations):
        raise NotSure(f"The '{dated[0].text}' of each of them? I cannot look for that and compute something else.")
