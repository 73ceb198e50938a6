"""The nouns of the chat: a question of a dataset, what becomes of it while it is worked on, and what stays of it.

A thread is a conversation; a turn is one question and its answer, named by the id of the question. Events of a thread
are numbered through: whoever has seen event `n` of it goes on after `n`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from holdfast.types.capsule import CapsuleError, storable
from holdfast.types.chart import Chart, ChartChoice
from holdfast.types.numbers import Count
from holdfast.types.run import Frozen

MAX_MESSAGE = 100_000
THREAD_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


class Privacy(StrEnum):
    """What a language model is told of a dataset: names and types; also ranges and counts; also rows and results."""

    SCHEMA = "schema"
    STATISTICS = "statistics"
    ROWS = "rows"


class Planner(StrEnum):
    """Who made the query: the user (`sql`, `python`), a stored plan, the rules for simple questions, or a model."""

    SQL = "sql"
    PYTHON = "python"
    SUGGESTED = "suggested"
    SIMPLE = "simple"
    MODEL = "model"


class ChatStatus(StrEnum):
    """How a turn went. `clarification`: it ended with a question to the user."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    CLARIFICATION = "clarification"


class StopReason(StrEnum):
    """Why a turn ended; there are no others."""

    ANSWERED = "answered"
    CLARIFICATION = "clarification"
    NOT_SURE = "not_sure"
    REFUSED = "refused"
    QUERY_FAILED = "query_failed"
    REPAIR_LIMIT = "repair_limit"
    WALL_CLOCK = "wall_clock"
    TOKEN_BUDGET = "token_budget"
    COST_BUDGET = "cost_budget"
    PROVIDER_ERROR = "provider_error"
    CANCELLED = "cancelled"
    SERVER_STOPPED = "server_stopped"
    INTERNAL = "internal"


class ChatRequest(BaseModel):
    """A message about a dataset. `SQL: …` and `PYTHON: …` are run as they are; without `thread_id` a thread begins.

    The answer to a clarifying question is a message in its thread: the label of an option, its id, or other words.
    """

    model_config = ConfigDict(extra="forbid")

    dataset_id: Annotated[str, Field(max_length=200), AfterValidator(storable)]
    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE), AfterValidator(storable)]
    thread_id: Annotated[str, Field(pattern=f"^{THREAD_ID}$")] | None = None
    privacy: Privacy | None = Field(default=None, description="Tell a model less than the server allows.")
    max_rows: Count | None = None
    user_id: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="Accepted and ignored; a thread belongs to the key."
    )


class ModelUsage(Frozen):
    """What a language model was asked and cost. `cost_usd` is null when its price is not known, never 0 for that."""

    model: str
    provider: str
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


class ModelPrice(Frozen):
    """What a model costs, in dollars for a million tokens."""

    model: str
    input_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def parse_model_price(text: str) -> ModelPrice:
    """The price that `my-model=0.5/1.5` says. Raises ValueError."""
    model, _, price = text.rpartition("=")
    given, slash, answered = price.partition("/")
    if not (model and slash):
        raise ValueError("write a price as model=input/output, in dollars for a million tokens: my-model=0.5/1.5")
    return ModelPrice(model=model, input_usd=float(given), output_usd=float(answered))


class NumberCheck(Frozen):
    """A number in the text of an answer, from `start` to `end`, and where it comes from; from nowhere, it is unmatched.

    `row` counts from 0; it is null when the number is that of the rows, or was in the question or the query.
    """

    text: str
    start: int
    end: int
    matched: bool
    source: Literal["cell", "rows", "question", "query"] | None = None
    row: int | None = None
    column: str | None = None


class ClarificationOption(Frozen):
    """One thing the question may have meant. Send its `label`, or its `id`, to choose it."""

    id: str
    label: str


class Clarification(Frozen):
    """A question to the user; the thread remembers it until it is answered."""

    question: str
    options: tuple[ClarificationOption, ...] = ()


class ChatError(CapsuleError):
    """Why there is no result. `type` is `code`, under the name the seed has for it."""

    type: str


class ChatTable(Frozen):
    """The result, or the error. `row_count` counts `rows`, `total_rows` all there are."""

    columns: tuple[str, ...] = ()
    column_types: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    row_count: int = 0
    total_rows: int = 0
    truncated: bool = False
    exec_time_ms: float = 0.0
    error: ChatError | None = None
    stdout_trunc: str = ""
    stderr_trunc: str = ""


class ChatDetails(Frozen):
    """How the answer came about. `query_mode` is `chat` when nothing was run."""

    dataset_id: str
    query_mode: Literal["plan", "sql", "python", "chat"] = "chat"
    plan_json: dict[str, Any] | None = None
    compiled_sql: str | None = None
    python_code: str | None = None
    planner: Planner | None = None
    explanation: str = ""
    attempts: int = 1
    stop_reason: StopReason
    notes: tuple[str, ...] = ()


class ChatResponse(Frozen):
    """The answer of a turn. `run_id` is that of the data run, which can be looked at, replayed and exported."""

    thread_id: str
    turn_id: int
    message_id: int | None = None
    assistant_message: str
    status: ChatStatus
    run_id: str | None = None
    result: ChatTable = ChatTable()
    details: ChatDetails
    clarification: Clarification | None = None
    chart: Chart | None = None
    numbers: tuple[NumberCheck, ...] = ()
    usage: ModelUsage | None = None


class ChatAbout(Frozen):
    """Who answers questions on this server. Without a model it is the rules for simple questions, which say so."""

    planner: Literal["model", "simple"]
    provider: str | None = None
    model: str | None = None
    privacy: Privacy
    python: bool
    history_window: int


class MessageMetadata(Frozen):
    """What an answer is about, besides its text; the question has only `privacy`."""

    status: ChatStatus | None = None
    stop_reason: StopReason | None = None
    planner: Planner | None = None
    query_mode: Literal["plan", "sql", "python", "chat"] | None = None
    error: ChatError | None = None
    clarification: Clarification | None = None
    chart: ChartChoice | None = None
    numbers: tuple[NumberCheck, ...] = ()
    usage: ModelUsage | None = None
    privacy: Privacy | None = None
    explanation: str = ""
    attempts: int | None = None
    total_rows: int | None = None


class Message(Frozen):
    """A message of a thread. The result of an answer is in its run, `GET /runs/{run_id}`."""

    id: int
    thread_id: str
    created_at: datetime
    dataset_id: str
    role: Literal["user", "assistant"]
    content: str
    run_id: str | None = None
    metadata: MessageMetadata = MessageMetadata()


class Messages(Frozen):
    """The last messages of a thread, oldest first."""

    thread_id: str
    messages: tuple[Message, ...]


class Thread(Frozen):
    """A conversation about a dataset. `last_event` numbers its last event; `running` is a turn that goes on."""

    thread_id: str
    dataset_id: str
    title: str
    created_at: datetime
    updated_at: datetime
    message_count: int
    last_event: int
    running: int | None = None


class Threads(Frozen):
    """Threads of the caller, the one that was used last first. `next` is what to send as `before` for older ones."""

    threads: tuple[Thread, ...]
    next: str | None = None


class Stage(StrEnum):
    """What a turn is about to do."""

    PLANNING = "planning"
    VALIDATING = "validating"
    EXECUTING = "executing"
    REPAIRING = "repairing"
    ANSWERING = "answering"


class StageEvent(Frozen):
    """A stage begins. The first event of a turn is one, and says which thread and turn it is."""

    type: Literal["status"] = "status"
    seq: int
    stage: Stage
    thread_id: str
    turn_id: int
    detail: str = ""


class ChatTokenEvent(Frozen):
    """A piece of the answer's text, as it is written; together they are `assistant_message`."""

    type: Literal["token"] = "token"
    seq: int
    content: str


class ToolCallEvent(Frozen):
    """A query is about to be run: `execute_query_plan`, `execute_sql` or `execute_python`."""

    type: Literal["tool_call"] = "tool_call"
    seq: int
    call_id: str
    name: str
    input: dict[str, Any]


class ToolResultEvent(Frozen):
    """What it came to; after an error another attempt may follow. `output` has no rows, which `result` brings."""

    type: Literal["tool_result"] = "tool_result"
    seq: int
    call_id: str
    name: str
    output: dict[str, Any]


class ResultEvent(ChatResponse):
    """The answer, whole."""

    type: Literal["result"] = "result"
    seq: int


class ChatDoneEvent(Frozen):
    """The last event of a turn."""

    type: Literal["done"] = "done"
    seq: int
    run_id: str | None = None
    thread_id: str
    turn_id: int
    status: ChatStatus
    stop_reason: StopReason


class ChatErrorEvent(Frozen):
    """The server failed, not the question; `done` follows."""

    type: Literal["error"] = "error"
    seq: int
    code: str
    message: str
    request_id: str | None = None


ChatEvent = Annotated[
    StageEvent | ChatTokenEvent | ToolCallEvent | ToolResultEvent | ResultEvent | ChatDoneEvent | ChatErrorEvent,
    Field(discriminator="type"),
]
