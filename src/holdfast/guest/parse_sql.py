"""Reads SQL and says what it is: the parser of the policy, in a cell of its own. Nothing is bound and nothing runs.

Commands are lines of JSON: `{"id", "sql"}` is answered with `{"id", "parsed"}`, and `{"id", "tree"}` with
`{"id", "sql", "parsed"}`: the statement written from a tree, and that statement parsed again. `parsed` is what
DuckDB's `json_serialize_sql` says, and `kinds` what statements there are, and where each begins, when they are several
or no queries; it is absent where `too_large` or `failed` say why. The first line is `{"id": 0}`.
"""

import json
import os
import sys
from typing import Any

sys.path.pop(0)  # The workspace: what is in there is data, and no module of ours.

import duckdb  # type: ignore[import-not-found, unused-ignore]

MAX_TREE = 4 << 20
PARSE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)"
WRITE = "SELECT json_deserialize_sql(?::JSON)"
SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "threads": "1",
    "temp_directory": "",
    "max_temp_directory_size": "0B",
    "enable_external_access": "false",
    "lock_configuration": "true",
}


def main() -> None:
    """Answer until nobody asks any more."""
    out = os.fdopen(int(os.environ["HOLDFAST_FRAMES"]), "w", encoding="utf-8")
    connection = duckdb.connect(config=SETTINGS)
    connection.execute(PARSE, ["SELECT 1"]).fetchone()
    print('{"id": 0}', file=out, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer = _answer(connection, command)
        print(f'{{"id": {command["id"]}, {answer}}}', file=out, flush=True)


def _answer(connection: Any, command: dict[str, Any]) -> str:
    """The rest of an object; what DuckDB wrote is passed on as it is."""
    try:
        if "tree" not in command:
            return _parsed(connection, command["sql"])
        sql = connection.execute(WRITE, [command["tree"]]).fetchone()[0]
        return f'"sql": {json.dumps(sql)}, {_parsed(connection, sql)}'
    except (duckdb.Error, UnicodeError) as error:
        return f'"failed": {json.dumps(str(error)[:500])}'


def _parsed(connection: Any, sql: str) -> str:
    tree = connection.execute(PARSE, [sql]).fetchone()[0]
    if len(tree) > MAX_TREE:
        return '"too_large": true'
    # A semicolon in a text or a comment is asked about for nothing, which changes nothing.
    may_be_several = ";" in sql.strip("; \t\r\n")
    is_no_query = '"error_type":"not implemented"' in tree[:200]
    kinds = _kinds(connection, sql) if is_no_query or may_be_several else []
    return f'"parsed": {tree}, "kinds": {json.dumps(kinds)}'


def _kinds(connection: Any, sql: str) -> list[tuple[str, int]]:
    """What the statements are, such as INSERT, and where they begin; for words alone, nothing is decided by it."""
    found: list[tuple[str, int]] = []
    end = 0
    try:
        for statement in connection.extract_statements(sql):
            begin = max(sql.find(statement.query, end), end)
            end = begin + len(statement.query)
            found.append((statement.type.name.removesuffix("_STATEMENT"), begin))
    except (duckdb.Error, ValueError):
        return []  # Also for a kind that the bindings do not know.
    return found


if __name__ == "__main__":
    main()
