"""What a question asks: what is computed, of which rows, by what. Every word has to have a part in it.

A question that is read wrongly is worse than one that is not answered: whatever is left over, and whatever can be read
in two ways, is said to be so.
"""

from collections.abc import Iterable, Sequence

from holdfast.agents.simple.chunks import Chunk, Piece, cut
from holdfast.agents.simple.doubts import ask_about_guesses, refuse_doubtful
from holdfast.agents.simple.filtering import Filtering
from holdfast.agents.simple.findings import Choice, Findings, Group, NotSure, Unclear
from holdfast.agents.simple.listing import Listing
from holdfast.agents.simple.measuring import Measuring
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.ranking import Ranking
from holdfast.agents.simple.reach import Reach
from holdfast.agents.simple.vocabulary import Meaning, Vocabulary, What
from holdfast.agents.simple.words import ENDING, NO_NOUN, OFTENEST, root, words_of_name
from holdfast.data.columns import Kind
from holdfast.types import Aggregate

_GROUPED = (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE)
_WHAT = frozenset({"what", "what's", "whats"})
_REPEATING = frozenset({Piece.COUNT, Piece.HOW, Piece.MUCH, Piece.WHEN})


class Reader:
    """Reads one question."""

    def __init__(self, question: str, vocabulary: Vocabulary, chosen: dict[str, Choice]) -> None:
        self.vocabulary = vocabulary
        self.chunks = cut(question, vocabulary)
        self.found = Findings()
        self.chosen = chosen
        """What the user said about words that were unclear."""

        self.measuring = Measuring(self)
        self._repeated: list[Chunk] = []

    def read(self) -> Findings:
        """Raises NotSure, Unclear."""
        self._refuse_what_is_not_known()
        ask_about_guesses(self)
        self._set_apart_what_repeats()
        self._say_which()
        self._say_top()
        self._ask()
        self.reach = Reach(self.vocabulary, self.found.base)
        Filtering(self).all()
        self._use_what_says_nothing_new()
        self._check_what_repeats()
        refuse_doubtful(self)
        left = [chunk.text for chunk in self.chunks if not chunk.used and chunk.piece is not Piece.FILLER]
        if left:
            raise NotSure(f"I do not know what to make of {_listed(left)}.")
        return self.found

    def _ask(self) -> None:
        """What is asked for: rows, groups in an order, or numbers."""
        if Listing(self).read():
            return
        if self._ranks():
            Ranking(self).read()
        else:
            self.measuring.read(self.chunks)

    def _refuse_what_is_not_known(self) -> None:
        unknown = [chunk.text for chunk in self.chunks if chunk.piece is Piece.UNKNOWN]
        if unknown:
            raise NotSure(f"I do not know what {_listed(unknown)} means here.")

    def after(self, chunk: Chunk, *, skipping: Iterable[Piece] = (Piece.FILLER,)) -> Chunk | None:
        """The next piece that says something."""
        place = self.place(chunk)
        skipped = set(skipping)
        return next((each for each in self.chunks[place + 1 :] if each.piece not in skipped), None)

    def before(self, chunk: Chunk) -> Chunk | None:
        """The piece before that says something."""
        place = self.place(chunk)
        return next((each for each in reversed(self.chunks[:place]) if each.piece is not Piece.FILLER), None)

    def place(self, chunk: Chunk) -> int:
        """Where it is in the question."""
        return next(place for place, each in enumerate(self.chunks) if each is chunk)

    def is_compared(self, noun: Chunk) -> bool:
        """Whether it is compared with a number, and so is not what is computed."""
        compared = (Piece.COMPARE, Piece.BETWEEN, Piece.NUMBER)
        near = (self.after(noun), self.before(noun))
        return (near[0] is not None and near[0].piece in compared) or (
            near[1] is not None and near[1].piece in (Piece.NUMBER, Piece.NOT)
        )

    def named_tables(self) -> set[str]:
        """The tables that the question names by themselves."""
        return {
            each.table
            for chunk in self.chunks
            for each in chunk.naming(What.TABLE)
            if len({meaning.table for meaning in chunk.naming(What.TABLE)}) == 1
        }

    def date_of(self, chunk: Chunk) -> tuple[str, str]:
        """The column that says when. Raises NotSure, Unclear."""
        self.reach = Reach(self.vocabulary, self.found.base)
        return Filtering(self).date(chunk)

    def dated_group(self, bucket: Chunk) -> Group:
        """A length of time by which something is grouped."""
        table, column = self.date_of(bucket)
        Filtering(self).refuse_what_is_too_fine(table, column, bucket.value)
        return Group(table, column, bucket.value)

    def _set_apart_what_repeats(self) -> None:
        """`who is the oldest, and how old is that`: what is shown anyway."""
        for place, chunk in enumerate(self.chunks):
            following = self.after(chunk) if chunk.piece is Piece.AND else None
            ranked = any(each.piece is Piece.SUPERLATIVE for each in self.chunks[:place])
            others = (Piece.SUPERLATIVE, Piece.AGGREGATE, Piece.BY, Piece.SPAN, Piece.NUMBER)
            rest = self.chunks[place + 1 :]
            if following is None or following.piece not in _REPEATING or not ranked:
                continue
            if not any(each.piece in others for each in rest):
                self._repeated, self.chunks = rest, self.chunks[:place]
            return

    def _check_what_repeats(self) -> None:
        """Raises NotSure where something else is asked for."""
        shown = {(each.table, each.column) for each in self.found.measures} | {
            (self.found.base, name) for name in self.found.listed
        }
        order = self.found.order
        shown |= {(order.table, order.column)} if order else set()
        rows = {each.table for each in self.found.measures if each.column == "*"}
        about = {dimension for table, name in shown if name not in ("*", "") for dimension in self._about(table, name)}
        for chunk in self._repeated:
            named = {(each.table, each.column) for each in chunk.naming(What.COLUMN)}
            counted = bool({each.table for each in chunk.naming(What.TABLE)} & rows)
            speaks = chunk.piece in (Piece.NOUN, Piece.UNIT, Piece.OR)
            if chunk.piece is Piece.OR or (speaks and (named & shown or counted)):
                continue
            dated = chunk.piece is Piece.WHEN and "date" in about
            if (
                speaks
                or (chunk.piece is Piece.HOW and not chunk.about & about)
                or (chunk.piece is Piece.WHEN and not dated)
            ):
                raise NotSure(f"I do not know what to make of '{chunk.text}'.")
            if chunk.piece not in (*_REPEATING, Piece.FILLER):
                raise NotSure(f"I do not know what to make of '{chunk.text}'.")

    def _about(self, table: str, name: str) -> Iterable[str]:
        return self.vocabulary.dimensions(table, name)

    def _say_which(self) -> None:
        """`what room type … most often` and `the most common job` ask which it is."""
        if self._ranks():
            return
        often = next((chunk for chunk in self.chunks if chunk.text in OFTENEST), None)
        most = often or next((chunk for chunk in self.chunks if self.measuring.is_count_word(chunk)), None)
        what = next((chunk for chunk in self.chunks if chunk.text in _WHAT), None)
        noun = self.after(what) if what is not None else None
        if most is not None and noun is not None and noun.piece is Piece.NOUN and self._are_groups(noun):
            self.chunks.insert(self.place(noun), Chunk(Piece.WHICH, "which"))
        elif often is not None:
            following = self.after(often, skipping=(Piece.FILLER, Piece.NUMBER))
            bucket = following is not None and following.piece is Piece.BUCKET
            if following is not None and (bucket or (following.piece is Piece.NOUN and self._are_groups(following))):
                self.chunks.insert(self.place(following), Chunk(Piece.WHICH, "which"))

    def _are_groups(self, noun: Chunk) -> bool:
        columns = noun.naming(What.COLUMN)
        return bool(columns) and all(
            each.entity or self.vocabulary.kind(each.table, each.column) is Kind.TEXT for each in columns
        )

    def _say_top(self) -> None:
        """`the largest 5 branches by …` is a top 5, and `the 5 branches with the most …` is which 5 have the most."""
        if self._ranks():
            return
        first = next((chunk for chunk in self.chunks if chunk.piece is not Piece.FILLER), None)
        second = first and self.after(first)
        follow = [second, second and self.after(second)]
        if first is None:
            return
        if (
            first.piece is Piece.SUPERLATIVE
            and first.scale
            and first.scale.any
            and _are(follow, Piece.NUMBER, Piece.NOUN)
        ):
            first.piece, first.value = Piece.TOP, "desc" if first.value is Aggregate.MAX else "asc"
        elif first.piece is Piece.NUMBER and _are(follow, Piece.NOUN, Piece.SUPERLATIVE):
            self.chunks.insert(self.place(first), Chunk(Piece.WHICH, "which"))

    def _ranks(self) -> bool:
        return any(chunk.piece in (Piece.TOP, Piece.WHICH) for chunk in self.chunks)

    def groups_of(self, noun: Chunk) -> list[Meaning]:
        """Columns by which something can be grouped."""
        columns = noun.naming(What.COLUMN)
        return [each for each in columns if each.entity or self.vocabulary.kind(each.table, each.column) in _GROUPED]

    def pick(self, noun: Chunk, meanings: list[Meaning]) -> Meaning:
        """The one that is meant: in the table of the question, then the most literal. Raises Unclear."""
        for narrowing in (self._in_base, self._of_named_tables, _most_literal):
            narrowed = narrowing(meanings)
            meanings = narrowed or meanings
        places = list(dict.fromkeys((each.table, each.column) for each in meanings))
        if len(places) == 1:
            return meanings[0]
        choices = [
            Choice(f"{column} of {table}" if column else f"rows of {table}", table, column) for table, column in places
        ]
        chosen = self.choose(noun, choices)
        return next(each for each in meanings if (each.table, each.column) == (chosen.table, chosen.column))

    def _in_base(self, meanings: list[Meaning]) -> list[Meaning]:
        return [each for each in meanings if each.table == self.found.base]

    def _of_named_tables(self, meanings: list[Meaning]) -> list[Meaning]:
        """Those of tables that the question names; not by a word that names them all."""
        named = {
            each.table
            for chunk in self.chunks
            for each in chunk.naming(What.TABLE)
            if len(chunk.naming(What.TABLE)) == 1
        }
        return [each for each in meanings if each.table in named]

    def choose(self, noun: Chunk, choices: list[Choice]) -> Choice:
        """What the user said that the word means. Raises Unclear."""
        chosen = self.chosen.get(noun.text)
        if chosen in choices:
            return chosen
        raise Unclear(noun.text, choices)

    def _use_what_says_nothing_new(self) -> None:
        """Tables that are read anyway, what speaks of a column that is used, and words that any question may have."""
        found = self.found
        counted = bool(found.measures) and found.measures[0].func in (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)
        asked_when = any(group.bucket for group in found.groups) or self._tests_dates()
        for chunk in self.chunks:
            tables = {each.table for each in chunk.naming(What.TABLE)}
            known = chunk.piece is Piece.NOUN and bool(tables & self.reach.tables)
            neutral = chunk.piece is Piece.BEGAN or (chunk.piece is Piece.TRADED and not counted)
            then = chunk.piece is Piece.BEGAN_THEN and self._may_begin(chunk, asked_when)
            now = chunk.piece is Piece.NOW and self._is_as_it_is()
            said = known or neutral or then or now or chunk.piece is Piece.AND
            chunk.used = chunk.used or said or self._speaks(chunk) or self._is_whose(chunk) or self._is_the_same(chunk)

    def _is_as_it_is(self) -> bool:
        """Whether rows are chosen, or none of them can have ended."""
        columns = [column.name for column in self.vocabulary.tables[self.found.base].columns]
        return bool(self.found.tests) or not any(ENDING & set(words_of_name(name)) for name in columns)

    def _tests_dates(self) -> bool:
        kinds = (Kind.DATE, Kind.TIMESTAMP)
        return any(self.vocabulary.kind(test.table, test.column) in kinds for test in self.found.tests)

    def _may_begin(self, chunk: Chunk, asked_when: bool) -> bool:
        """New rows of a month are those of the month; new customers may be those that were not there before."""
        rows = all(measure.func is not Aggregate.COUNT_DISTINCT for measure in self.found.measures)
        ranked = self.found.rank is not None and chunk.text != "new"
        return rows and bool(self.found.measures) and (asked_when or ranked)

    def _is_the_same(self, chunk: Chunk) -> bool:
        """`battery charge`, where both words are the same column."""
        if chunk.piece is not Piece.NOUN or chunk.naming(What.VALUE):
            return False
        columns = {(each.table, each.column) for each in chunk.naming(What.COLUMN)} & self.found.columns()
        near = [self.chunks[at] for at in (self.place(chunk) - 1, self.place(chunk) + 1) if 0 <= at < len(self.chunks)]
        beside = {(each.table, each.column) for other in near if other.used for each in other.naming(What.COLUMN)}
        return bool(columns & beside)

    def _is_whose(self, chunk: Chunk) -> bool:
        """`guest rating`, `how happy are people`, `nights of Italian guests`: those who are in the rows anyway."""
        asked = (Piece.COUNT, Piece.WHICH, Piece.TOP, Piece.BY, Piece.DISTINCT, Piece.NOT)
        before = self.before(chunk)
        often = before is not None and before.text in NO_NOUN
        is_asked = before is not None and before.piece in asked and not often
        if not self._is_of_persons(chunk) or is_asked or self.found.listed:
            return False
        if any(Dimension.RATING in self._about(*column) for column in self.found.columns()):
            return True
        if self._is_everybody(chunk):
            return True
        chosen = before is not None and before.piece is Piece.NOUN and bool(before.naming(What.VALUE)) and before.used
        return chosen and self.found.measures[0].func is Aggregate.SUM and chunk.piece is Piece.NOUN

    def _is_everybody(self, chunk: Chunk) -> bool:
        """`what did customers spend in total`: those of whom all rows are."""
        place = self.place(chunk)
        done = place > 0 and self.chunks[place - 1].text in ("did", "do", "have", "all", "our")
        summed = bool(self.found.measures) and all(each.func is Aggregate.SUM for each in self.found.measures)
        known = [self.vocabulary.of(each.table, each.column) for each in chunk.naming(What.COLUMN)]
        everybody = bool(known) and all(each is not None and not each.nulls for each in known)
        return done and summed and everybody and chunk.text.endswith("s")

    def _is_of_persons(self, chunk: Chunk) -> bool:
        if chunk.piece is Piece.PERSON:
            return True
        named = chunk.piece is Piece.NOUN and bool(chunk.naming(What.COLUMN)) and not chunk.naming(What.VALUE)
        columns = chunk.naming(What.COLUMN)
        return named and all(each.column in self.vocabulary.persons(each.table) for each in columns)

    def _speaks(self, chunk: Chunk) -> bool:
        """`took`, where a duration is computed or compared; `room`, beside a value of the room type."""
        if chunk.piece not in (Piece.NOUN, Piece.UNIT, Piece.BUCKET):
            return False
        used = self.found.columns()
        if root(chunk.text) == "paid" and any("payment" in words_of_name(name) for _, name in used):
            return True
        if chunk.piece is Piece.BUCKET and not chunk.text.endswith("s"):
            before = self.before(chunk)
            words = [word for _, name in used for word in words_of_name(name)]
            return before is not None and before.piece is Piece.UNIT and f"{chunk.text}ly" in words
        said = [each for each in chunk.meanings if each.what is What.PART or each.rank >= 4]
        return any((each.table, each.column) in used for each in said)


def _are(chunks: Sequence[Chunk | None], *pieces: Piece) -> bool:
    return [each.piece if each else None for each in chunks] == [*pieces]


def _most_literal(meanings: list[Meaning]) -> list[Meaning]:
    best = min(each.rank for each in meanings)
    return [each for each in meanings if each.rank == best]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words[:5])
