"""The nouns of the SQL policy: what is said of a statement before it runs."""

from enum import StrEnum

from holdfast.types.run import Frozen


class DenialCode(StrEnum):
    """Why a statement is not run."""

    SYNTAX = "syntax"
    EMPTY = "empty"
    SEVERAL_STATEMENTS = "several_statements"
    NOT_A_READ = "not_a_read"
    TOO_COMPLEX = "too_complex"
    UNKNOWN_TABLE = "unknown_table"
    FILE = "file"
    CTE_NAME = "cte_name"
    FUNCTION = "function"
    UNKNOWN_FUNCTION = "unknown_function"
    TABLE_FUNCTION = "table_function"
    TYPE = "type"
    COMMAND = "command"
    CONSTRUCT = "construct"
    PARAMETER = "parameter"
    COLLATION = "collation"


class Denial(Frozen):
    """A statement is not run. `position` counts characters from 0; `name` is what was found there."""

    code: DenialCode
    message: str
    name: str | None = None
    position: int | None = None
    hint: str | None = None


class SqlCommand(StrEnum):
    """What a checked statement is."""

    QUERY = "query"
    DESCRIBE = "describe"
    SUMMARIZE = "summarize"
    SHOW_TABLES = "show_tables"


class Approved(Frozen):
    """A statement that only reads the tables of its dataset. `sql` is what to run.

    It is the text as it came, unless tables were named as `dataset.table`: then it is written anew from the checked
    tree. `varies` says that it reads the clock or chance, so that a replay cannot be expected to be identical.
    """

    sql: str
    command: SqlCommand = SqlCommand.QUERY
    tables: tuple[str, ...] = ()
    varies: bool = False
