"""The nouns of data runs: what is asked of a dataset, the record that stays of it, and what a replay says."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from holdfast.types.numbers import Count, Positive
from holdfast.types.run import Artifact, Frozen, Isolation, Limits, Status, Usage
from holdfast.types.states import CapsuleStatus
from holdfast.types.table import Table

QueryMode = Literal["plan", "sql", "python"]
MAX_CODE = 1 << 20


def storable(value: str) -> str:
    """The text, if a database can hold it. Raises ValueError."""
    if "\0" in value:
        raise ValueError("it holds the character NUL, which no text of a database can")
    return value


_Text = Annotated[str, Field(max_length=MAX_CODE), AfterValidator(storable)]


class DataRunRequest(BaseModel):
    """What to ask of a dataset: exactly one of a plan, SQL and Python. Absent limits take the server's defaults."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    dataset_id: Annotated[str, Field(max_length=200), AfterValidator(storable)]
    plan: dict[str, Any] | None = Field(default=None, validation_alias=AliasChoices("plan", "plan_json"))
    sql: _Text | None = None
    python: _Text | None = Field(default=None, validation_alias=AliasChoices("python", "python_code"))
    query_type: QueryMode | None = Field(default=None, description="Which of the three it is, if you want to say so.")
    question: _Text | None = Field(
        default=None, description="What it answers, in words; it is only kept in the record."
    )
    timeout: Positive | None = Field(default=None, validation_alias=AliasChoices("timeout", "timeout_seconds"))
    max_rows: Count | None = None
    max_output_bytes: Count | None = None

    @property
    def mode(self) -> QueryMode:
        """Which of the three is asked."""
        return "plan" if self.plan is not None else "sql" if self.sql is not None else "python"

    @model_validator(mode="after")
    def _one_is_asked(self) -> Self:
        if sum(each is not None for each in (self.plan, self.sql, self.python)) != 1:
            raise ValueError("send exactly one of 'plan', 'sql' and 'python'")
        if self.query_type not in (None, self.mode):
            raise ValueError(f"'query_type' is '{self.query_type}', but what was sent is '{self.mode}'")
        return self


class CapsuleError(Frozen):
    """Why a data run has no result. `position` counts characters of the SQL, `line` lines of the Python, from 1."""

    code: str
    message: str
    name: str | None = None
    position: int | None = None
    line: int | None = None
    hint: str | None = None


class DataLimits(Frozen):
    """What a data run may use, and how much of its answer is kept."""

    sandbox: Limits
    max_rows: int
    max_output_bytes: int


class Capsule(Frozen):
    """The record of one data run: what was asked of which data, what it came to, and what held it."""

    run_id: str
    created_at: datetime
    ended_at: datetime | None = None
    dataset_id: str
    dataset_version_hash: str = Field(description="Names what was in the dataset; the same data have the same.")
    question: str | None = None
    query_mode: QueryMode
    plan_json: dict[str, Any] | None = None
    compiled_sql: str | None = Field(default=None, description="The SQL; of a plan, what it means with its values.")
    python_code: str | None = None
    status: CapsuleStatus
    result: Table | None = None
    error: CapsuleError | None = None
    exec_time_ms: float | None = None
    stdout: str = ""
    stderr: str = ""
    notes: tuple[str, ...] = ()
    figures: tuple[Artifact, ...] = ()
    key: str | None = Field(default=None, description="The name of the key that asked; null is the local user.")
    engine: str | None = None
    isolation: Isolation | None = None
    usage: Usage | None = None
    limits: DataLimits | None = None
    libraries: dict[str, str] = Field(default_factory=dict, description="Versions of what the answer was made with.")
    result_hash: str | None = Field(default=None, description="SHA-256 of the columns, types and rows.")
    replay_of: str | None = None


class CapsuleState(Frozen):
    """How a run went, or where it is."""

    run_id: str
    status: Status | CapsuleStatus


class ReplayOutcome(StrEnum):
    """What a replay found."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    DATA_CHANGED = "data_changed"


class CellDifference(Frozen):
    """A cell that is another, or that only one of the two results has. Rows count from 0."""

    row: int
    column: str
    before: Any = None
    after: Any = None
    only_in: Literal["before", "after"] | None = None


class Replay(Frozen):
    """A run again, beside the one before. `cells` are the first of the `different_cells`.

    `data_changed` is not about the result: the dataset is another than it was, so that nothing can be concluded.
    """

    run_id: str = Field(description="The capsule of this run.")
    replay_of: str
    outcome: ReplayOutcome
    reordered: bool = Field(default=False, description="The same rows, in another order.")
    different_cells: int = 0
    cells: tuple[CellDifference, ...] = ()
    notes: tuple[str, ...] = ()
    capsule: Capsule
