"""Walks every key of a parsed statement, and refuses the first thing that no list allows.

Nothing is skipped because it looks harmless: a kind of node or a key that is in no list is refused. What a table name
means is decided here as DuckDB decides it: a CTE in scope, or else a table.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from holdfast.data.policy.lists import Lists, lists, lower
from holdfast.types import DenialCode, SqlCommand

Node = dict[str, Any]
Scope = frozenset[str]
ONLY_READS = "Only queries can run: SELECT, WITH, FROM, VALUES, PIVOT, and DESCRIBE, SUMMARIZE and SHOW TABLES."
_WITHOUT = "It is what DuckDB calls a part of this statement; write the query without it."
_TYPES = "Such as INTEGER, DOUBLE, VARCHAR, DATE or TIMESTAMP."
MAIN = "main"
_LOCATIONS = frozenset({"query_location", "query_location_length"})
_CTE_NAME = re.compile(r"(?!duckdb_|pg_|sqlite_|pragma_|information_schema)[^./\\:*?\[\]~]+", re.IGNORECASE)
_COLLATION = re.compile(r"[A-Za-z_]{1,30}(\.[A-Za-z_]{1,30}){0,3}")
_FILE = re.compile(r"[./\\:*]")
_MOST_NAMES = 12
_ALIKE = 0.75
_MOST_CTES = 500


class Refused(Exception):
    """Something in the tree is not allowed; `offset` is where, in bytes."""

    def __init__(self, code: DenialCode, message: str, name: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.name = name
        self.hint = hint
        self.offset: int | None = None


class Walk:
    """One statement. `tables` are those of the dataset, by their names in lower case."""

    def __init__(self, dataset_id: str, tables: Mapping[str, str], *, parameters: bool) -> None:
        self._dataset = lower(dataset_id)
        self._tables = tables
        self._parameters = parameters
        self._lists: Lists = lists()
        self._stack: list[tuple[Any, str, Scope, int | None]] = []
        self._aliases: set[str] = set()
        self._with_dataset: list[tuple[list[str], int]] = []
        self._ctes_seen = 0
        self.read: set[str] = set()
        self.varies = False
        self.rewritten = False

    def statement(self, statement: Node) -> SqlCommand:
        """Check it. Tables named as `dataset.table` are resolved in place. Raises Refused."""
        self._stack.append((statement, "statements", frozenset(), None))
        while self._stack:
            value, under, scope, offset = self._stack.pop()
            if isinstance(value, list):
                self._stack += [(item, under, scope, offset) for item in reversed(value)]
            elif isinstance(value, dict):
                self._visit(value, under, scope, offset)
        if self._with_dataset and self._dataset not in self._aliases:
            # `dataset.table.column`; after an alias of that name it would be a field of a struct.
            self.rewritten = True
            for names, count in self._with_dataset:
                names[:count] = [MAIN]
        return self._command(statement["node"])

    def _visit(self, node: Node, under: str, scope: Scope, offset: int | None) -> None:
        offset = node.get("query_location", offset)
        self._aliases.add(lower(node.get("alias", "")))
        try:
            kind = self._known(node, under)
            handle = self._handlers.get(kind.partition("/")[0])
            rest = handle(self, node, under, scope) if handle else node.items()
        except Refused as refused:
            refused.offset = offset if refused.offset is None else refused.offset
            raise
        inner = self._ctes(node, scope, offset) if node.get("cte_map", {}) != {} else scope
        # From last to first, because a stack gives back what came last: what stands first in the text is told first.
        for key, value in reversed(list(rest)):
            if key != "cte_map" and isinstance(value, list | dict):
                self._stack.append((value, key, inner, offset))

    def _known(self, node: Node, under: str) -> str:
        """The kind of a node, all of whose keys are allowed."""
        kind = node.get("type")
        name = f"~{under}" if not isinstance(kind, str) else f"{node['class']}/{kind}" if "class" in node else kind
        keys = self._lists.records.get(name) if name[0] == "~" else self._lists.nodes.get(name)
        if keys is None:
            shown = _spoken(name.strip("~").rpartition("/")[2])
            message = f"{shown} is not allowed: a query can only read."
            raise Refused(DenialCode.NOT_A_READ, message, shown, ONLY_READS)
        if strange := sorted(node.keys() - keys):
            message = f"'{strange[0]}' is nothing a query here can have."
            raise Refused(DenialCode.CONSTRUCT, message, strange[0], _WITHOUT)
        return name

    def _ctes(self, node: Node, scope: Scope, offset: int | None) -> Scope:
        """The names that a WITH brings; each body sees those before it."""
        self._known(node["cte_map"], "cte_map")
        for entry in node["cte_map"].get("map", ()):
            self._known(entry, "map")
            name, body = entry["key"], entry["value"]
            self._ctes_seen += 1
            if self._ctes_seen > _MOST_CTES:
                raise Refused(DenialCode.TOO_COMPLEX, f"There are more than {_MOST_CTES} CTEs.", name, "Use fewer.")
            if not _CTE_NAME.fullmatch(name):
                message = f"A CTE cannot be called '{_shown(name)}': it could be taken for a file or a system table."
                raise Refused(DenialCode.CTE_NAME, message, name, "Give it a plain name.")
            self._stack.append((body, "value", scope, offset))
            scope |= {lower(name)}
        return scope

    def _recursive(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        """Only the second half sees the CTE itself."""
        own = scope | {lower(node["cte_name"])}
        self._stack.append((node["right"], "right", own, None))
        return iter([(key, value) for key, value in node.items() if key != "right"])

    def _table(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        path: list[str] = node["qualified_name"]["path"]
        name, before = lower(path[-1]), tuple(map(lower, path[:-1]))
        if not before and name in scope:
            return iter(node.items())
        ours = {(), (MAIN,), (self._dataset,), (self._dataset, MAIN)}
        if name not in self._tables or before not in ours:
            raise self._unknown_table(path)
        self.read.add(self._tables[name])
        if before not in ((), (MAIN,)):
            node.pop("catalog_name", None)
            node["schema_name"] = MAIN
            node["qualified_name"] = {"path": [MAIN, path[-1]]}
            self.rewritten = True
        return iter(node.items())

    def _unknown_table(self, path: list[str]) -> Refused:
        name = ".".join(path)
        names = sorted(self._tables.values())
        close = difflib.get_close_matches(lower(path[-1]), self._tables, 1)
        hint = f"Did you mean '{self._tables[close[0]]}'?" if close else f"Its tables are: {_listed(names)}."
        if len(path) == 1 and _FILE.search(name):
            return Refused(DenialCode.FILE, f"'{_shown(name)}' is no table; files cannot be read.", name, hint)
        message = f"'{_shown(name)}' is no table of this dataset, and no CTE that is in scope there."
        return Refused(DenialCode.UNKNOWN_TABLE, message, name, hint)

    def _function(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        path: list[str] = node["qualified_name"]["path"]
        name = lower(path[-1])
        of_table = under == "function"
        known = self._lists.table_functions if of_table else self._lists.functions
        if name not in known or (of_table and len(path) > 1):
            raise self._forbidden_function(path[-1], known, of_table=of_table)
        self.varies = self.varies or name in self._lists.varying
        return iter(node.items())

    def _forbidden_function(self, name: str, known: frozenset[str], *, of_table: bool) -> Refused:
        group = self._lists.denied.get(lower(name))
        shown = _shown(name)
        if group is not None:
            code = DenialCode.TABLE_FUNCTION if of_table else DenialCode.FUNCTION
            return Refused(code, f"The function '{shown}' {group.because}.", name, group.hint)
        if of_table:
            hint = f"FROM can call: {', '.join(sorted(known))}."
            return Refused(DenialCode.TABLE_FUNCTION, f"FROM cannot call '{shown}'.", name, hint)
        close = difflib.get_close_matches(lower(name), known, 1, _ALIKE)
        hint = f"Did you mean '{close[0]}'?" if close else "Only DuckDB's built-in functions can be called."
        return Refused(DenialCode.UNKNOWN_FUNCTION, f"There is no function '{shown}'.", name, hint)

    def _call_in_from(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        if node["function"].get("class") != "FUNCTION":
            raise Refused(DenialCode.CONSTRUCT, "FROM can only call functions.")
        return iter(node.items())

    def _type(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        path: list[str] = node["qualified_name"]["path"]
        if len(path) != 1 or lower(path[0]) not in self._lists.types:
            name = ".".join(path)
            close = difflib.get_close_matches(lower(path[-1]), self._lists.types, 1, _ALIKE)
            hint = f"Did you mean '{close[0]}'?" if close else _TYPES
            raise Refused(DenialCode.TYPE, f"'{_shown(name)}' is no type that a query can name.", name, hint)
        return iter(node.items())

    def _collate(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        if not _COLLATION.fullmatch(node["collation"]):
            raise Refused(DenialCode.COLLATION, "That is no collation.", node["collation"], "Such as NOCASE or de.")
        return iter(node.items())

    def _parameter(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        if not self._parameters:
            hint = "Write the value itself."
            raise Refused(DenialCode.PARAMETER, "There are no values for parameters here.", node["identifier"], hint)
        return iter(node.items())

    def _show(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        command = self._lists.commands.get(node["show_type"])
        special = command == SqlCommand.SHOW_TABLES
        if command is None or (special and node.get("table_name") != '"tables"'):
            hint = "DESCRIBE a table, SUMMARIZE a query and SHOW TABLES are allowed."
            raise Refused(DenialCode.COMMAND, "That cannot be shown.", node.get("table_name"), hint)
        if "query" in node and node.get("table_name"):
            raise Refused(DenialCode.CONSTRUCT, "A query and a table cannot be shown together.")
        # A table by its name is looked up in the catalog; no CTE comes first.
        return iter(node.items()) if special or "query" in node else self._table(node, under, frozenset())

    def _column(self, node: Node, under: str, scope: Scope) -> Iterator[tuple[str, Any]]:
        names: list[str] = node["column_names"]
        if len(names) > 2 and lower(names[0]) == self._dataset and lower(names[1]) in self._tables:
            self._with_dataset.append((names, 1))
        elif [*map(lower, names[:2])] == [self._dataset, MAIN] and len(names) > 3 and lower(names[2]) in self._tables:
            self._with_dataset.append((names, 2))
        self.varies = self.varies or (len(names) == 1 and lower(names[0]) in _CLOCKS)
        return iter(node.items())

    def _command(self, node: Node) -> SqlCommand:
        """What kind of statement it is: a command is nothing but the one thing it shows."""
        shown = node.get("from_table", {})
        plain = {"type", "cte_map", "select_list", "from_table", "aggregate_handling"}
        if shown.get("type") != "SHOW_REF" or node.keys() - plain or shown.get("alias") or node["cte_map"]:
            return SqlCommand.QUERY
        star = {key: value for key, value in node["select_list"][0].items() if key not in _LOCATIONS}
        is_all = len(node["select_list"]) == 1 and star == {"class": "STAR", "type": "STAR"}
        return SqlCommand(self._lists.commands[shown["show_type"]]) if is_all else SqlCommand.QUERY

    _handlers: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "RECURSIVE_CTE_NODE": _recursive,
        "BASE_TABLE": _table,
        "TABLE_FUNCTION": _call_in_from,
        "FUNCTION": _function,
        "WINDOW": _function,
        "TYPE": _type,
        "COLLATE": _collate,
        "PARAMETER": _parameter,
        "SHOW_REF": _show,
        "COLUMN_REF": _column,
    }


_CLOCKS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})


def without_locations(value: Any) -> Any:
    """A tree without the places in the text, so that two texts of the same statement have the same."""
    if isinstance(value, dict):
        return {key: without_locations(inner) for key, inner in value.items() if key not in _LOCATIONS}
    return [without_locations(inner) for inner in value] if isinstance(value, list) else value


def _spoken(kind: str) -> str:
    return kind.removesuffix("_NODE").removesuffix("_QUERY").replace("_", " ")


def _listed(names: list[str]) -> str:
    more = ", …" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _shown(name: str) -> str:
    short = name if len(name) <= 80 else f"{name[:80]}…"
    return short if short.isprintable() else ascii(short)
