"""Which SQL is a pure read of one dataset. The statement is parsed in a cell, and its tree is walked here."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio.to_thread
import structlog

from holdfast.data.policy.lists import lower
from holdfast.data.policy.parser import Overwhelmed, Parser
from holdfast.data.policy.walk import ONLY_READS, Refused, Walk, without_locations
from holdfast.engines import Engine
from holdfast.types import Approved, Dataset, Denial, DenialCode

MAX_SQL_BYTES = 256 << 10
LARGE_TREE = 64 << 10
"""From this size on a tree is walked in a thread, so that nobody else waits."""

_PIVOT = "A PIVOT needs the values it makes columns of: PIVOT … ON column IN ('a', 'b') USING …"
_TOO_COMPLEX = Denial(
    code=DenialCode.TOO_COMPLEX,
    message="The statement is too long or too deeply nested to be checked.",
    hint="Shorten it, or split it into several queries.",
)


_NOT_UNDERSTOOD = Denial(
    code=DenialCode.CONSTRUCT,
    message="The statement is not understood.",
    hint="Write it in another way.",
)
_NOT_WRITTEN = Denial(
    code=DenialCode.CONSTRUCT,
    message="Tables cannot be named as dataset.table in this statement.",
    hint="Name the tables without the dataset.",
)
_log = structlog.get_logger()


class SqlPolicy:
    """Says of a statement whether it runs; inside `open`."""

    def __init__(self, engine: Engine) -> None:
        self._parser = Parser(engine)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["SqlPolicy"]:
        """Keep the parser for the length of the block."""
        async with self._parser.open():
            yield self

    async def check(self, sql: str, dataset: Dataset, *, parameters: bool = False) -> Approved | Denial:
        """What may run, or why not. `parameters` says that there are values for them. Raises EngineError."""
        if fault := _unreadable(sql):
            return fault
        try:
            answer = await self._parser.ask({"sql": sql})
            judged = await _aside(answer, partial(_judge, answer, sql, dataset, parameters=parameters))
            if isinstance(judged, Approved | Denial):
                return judged
            tree, approved = judged
            answer = await self._parser.ask({"tree": tree})
            said: Approved | Denial = await _aside(answer, partial(_written_anew, answer, tree, approved))
            return said
        except (Overwhelmed, RecursionError):
            return _TOO_COMPLEX
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # Not what DuckDB says of a statement, as far as anybody knows: what is not understood does not run.
            _log.error("a statement was not understood", reason=type(error).__name__)
            return _NOT_UNDERSTOOD


def _written_anew(answer: bytes, tree: str, approved: Approved) -> Approved | Denial:
    """The text of a tree, which has to be read as that very tree again."""
    told = json.loads(answer)
    again = told.get("parsed", {}).get("statements")
    if without_locations(again) != without_locations(json.loads(tree)["statements"]):
        return _NOT_WRITTEN
    return approved.model_copy(update={"sql": told["sql"]})


def _unreadable(sql: str) -> Denial | None:
    try:
        if len(sql.encode()) > MAX_SQL_BYTES:
            return _TOO_COMPLEX
    except UnicodeEncodeError as error:
        return Denial(code=DenialCode.SYNTAX, message="There is half of a surrogate pair.", position=error.start)
    if (position := sql.find("\0")) >= 0:
        return Denial(code=DenialCode.SYNTAX, message="There is a NUL character.", position=position)
    return None


async def _aside(answer: bytes, work: Callable[[], Any]) -> Any:
    return work() if len(answer) < LARGE_TREE else await anyio.to_thread.run_sync(work)


def _judge(answer: bytes, sql: str, dataset: Dataset, *, parameters: bool) -> Any:
    """Approved, a Denial, or the tree that is to be written anew with what is approved of it."""
    told = json.loads(answer)
    parsed = told.get("parsed")
    if parsed is None:
        return _TOO_COMPLEX
    if parsed["error"]:
        return _explain(parsed, told["kinds"], sql)
    statements = parsed.get("statements", [])
    if len(statements) != 1:
        code, message = _COUNTS[bool(statements)]
        place = told["kinds"][1][1] if len(told["kinds"]) > 1 else None
        return Denial(code=code, message=message, position=place, hint=ONLY_READS)
    walk = Walk(dataset.id, {lower(table.name): table.name for table in dataset.tables}, parameters=parameters)
    try:
        command = walk.statement(statements[0])
    except Refused as refused:
        name = None if refused.name is None else refused.name[:200]
        return Denial(
            code=refused.code, message=refused.message, name=name, position=_place(sql, refused), hint=refused.hint
        )
    approved = Approved(sql=sql, command=command, tables=tuple(sorted(walk.read)), varies=walk.varies)
    return (json.dumps({"error": False, "statements": statements}), approved) if walk.rewritten else approved


_COUNTS = {
    False: (DenialCode.EMPTY, "There is no statement."),
    True: (DenialCode.SEVERAL_STATEMENTS, "There is more than one statement; send one at a time."),
}


def _explain(parsed: dict[str, Any], kinds: list[tuple[str, int]], sql: str) -> Denial:
    if parsed["error_type"] == "not implemented":
        kind, place = next(((kind, place) for kind, place in kinds if kind != "SELECT"), (None, None))
        if kind == "MULTI":
            message = "The columns of a PIVOT are not known."
            return Denial(code=DenialCode.CONSTRUCT, message=message, position=place, hint=_PIVOT)
        name = None if kind is None or place is None else _word(sql, place) or kind
        said = f"{name} is not allowed: a query can only read." if name else "That is no query."
        return Denial(code=DenialCode.NOT_A_READ, message=said, name=name, position=place, hint=ONLY_READS)
    message = parsed["error_message"]
    if "depth limit" in message:
        return _TOO_COMPLEX
    place = _character(sql, int(parsed["position"])) if "position" in parsed else None
    return Denial(code=DenialCode.SYNTAX, message=f"{message.splitlines()[0][:300].rstrip('.')}.", position=place)


def _word(sql: str, place: int) -> str | None:
    """How a statement calls itself: DuckDB takes INSTALL for a kind of LOAD. After WITH the word comes later."""
    found = re.match(r"[a-z_]{1,40}", sql[place:], re.IGNORECASE)
    return None if found is None or found[0].upper() == "WITH" else found[0].upper()


def _place(sql: str, refused: Refused) -> int | None:
    """Where it is; of what the parser does not place (a CTE, what stands in one), where it is named first."""
    if refused.offset is not None:
        return _character(sql, refused.offset)
    found = re.search(rf"(?i)(?<!\w){re.escape(refused.name)}(?!\w)", sql) if refused.name else None
    return found.start() if found else None


def _character(sql: str, offset: int) -> int:
    """DuckDB counts bytes, people count characters."""
    return len(sql.encode()[:offset].decode(errors="ignore"))
