"""What the nouns of a question are in the tables that can be used."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Findings
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.data.columns import Kind

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader


class Nouns:
    """What all who read conditions need."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._vocabulary = reader.vocabulary
        self._found: Findings = reader.found

    def _unused(self, *pieces: Piece) -> list[Chunk]:
        return [chunk for chunk in self._reader.chunks if chunk.piece in pieces and not chunk.used]

    def _dates_of(self, noun: Chunk) -> list[Meaning]:
        return [
            each
            for each in noun.naming(What.COLUMN)
            if each.table in self._reader.reach.tables
            and self._vocabulary.kind(each.table, each.column) in (Kind.DATE, Kind.TIMESTAMP)
        ]

    def _numbers(self, noun: Chunk) -> list[Meaning]:
        tables = self._reader.reach.tables
        return [
            each
            for each in noun.naming(What.COLUMN)
            if each.table in tables
            and not self._reader.measuring.is_key(noun, each)
            and self._vocabulary.kind(each.table, each.column) is Kind.NUMBER
        ]

    def _booleans_of(self, noun: Chunk) -> list[Meaning]:
        tables = self._reader.reach.tables
        return [
            each
            for each in noun.naming(What.COLUMN)
            if each.table in tables and self._vocabulary.kind(each.table, each.column) is Kind.BOOLEAN
        ]
