"""The nouns of tasks: what is asked, where it is, and the events it leaves, in the order they happened."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    StrictBool,
    StrictInt,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from holdfast.types.numbers import Positive
from holdfast.types.run import File, FileContent, Frozen
from holdfast.types.states import TaskStatus

TaskType = Literal["agent", "workflow"]
TASK_TYPES: tuple[TaskType, ...] = ("agent", "workflow")
AGENT_TOOLS = ("read_file", "write_file", "list_files", "grep", "shell", "run_code", "query_dataset")
MAX_TASK_ATTEMPTS = 10
MAX_SECRETS = 100
MAX_SECRET_CHARACTERS = 65_536
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class GitSource(BaseModel):
    """A repository to clone, in a sandbox with a network; `ref` is a branch, a tag or a commit."""

    model_config = ConfigDict(extra="forbid")

    url: str
    ref: str | None = None


class Workspace(BaseModel):
    """What is in `/workspace` when a task begins: files by name, a tar or zip, or a clone. Only one of them."""

    model_config = ConfigDict(extra="forbid")

    files: dict[str, FileContent] | None = None
    archive: File | None = None
    git: GitSource | None = None

    @model_validator(mode="after")
    def _only_one(self) -> "Workspace":
        if sum(part is not None for part in (self.files, self.archive, self.git)) > 1:
            raise ValueError("a workspace is one of files, archive and git")
        return self


class TaskOptions(BaseModel):
    """What a task of any type takes. Secrets are kept in memory alone and never shown again."""

    model_config = ConfigDict(extra="forbid")

    callback_url: str | None = Field(default=None, description="Where its events are posted, in order.")
    secrets: dict[str, SecretStr] = Field(default_factory=dict, description="Values for who names them; never shown.")
    workspace: Workspace | None = None
    network: bool = False
    timeout: Positive | None = Field(default=None, description="Seconds the task may take once it runs.")
    max_attempts: Annotated[StrictInt, Field(ge=1, le=MAX_TASK_ATTEMPTS)] = Field(
        default=1, description="How often it is begun in all when workers die under it; 1: then it has failed."
    )
    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None

    @field_validator("secrets")
    @classmethod
    def _named(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in value:
            if _SECRET_NAME.fullmatch(name) is None:
                raise ValueError("the names of secrets are letters, digits and underscores")
        if len(value) > MAX_SECRETS or sum(map(len, value.values())) > MAX_SECRET_CHARACTERS:
            raise ValueError(f"there may be {MAX_SECRETS} secrets of {MAX_SECRET_CHARACTERS:,} characters together")
        return value


class AgentStop(StrEnum):
    """Why an agent was ended before it was done: the `code` of its error. There are no others of its own."""

    MAX_TURNS = "max_turns"
    TOKEN_BUDGET = "token_budget"
    COST_BUDGET = "cost_budget"
    TOOL_CALL_BUDGET = "tool_call_budget"
    WORKING_TIME = "working_time"
    STUCK = "stuck"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    PROVIDER_ERROR = "provider_error"


class AgentBudget(BaseModel):
    """What an agent may use up in all. Waiting for people does not count as work."""

    model_config = ConfigDict(extra="forbid")

    tokens: Annotated[StrictInt, Field(gt=0)] | None = Field(default=None, description="Read and written, together.")
    cost_usd: Positive | None = None
    tool_calls: Annotated[StrictInt, Field(gt=0)] | None = None
    working_seconds: Positive | None = None


class AgentMessage(BaseModel):
    """One message of the conversation an agent begins with."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[list[dict[str, Any]], Tag("<blocks>")],
        Discriminator(lambda value: "<blocks>" if isinstance(value, list) else "<text>"),
    ]


class AgentTask(TaskOptions):
    """A task for an agent: a model that uses tools. Without a `model` it is the operator's default."""

    type: Literal["agent"] = "agent"
    model: str | None = None
    system_prompt: str | None = None
    messages: list[AgentMessage] = Field(min_length=1)
    tools: list[str] = Field(default_factory=list)
    max_turns: Annotated[StrictInt, Field(ge=1, le=100)] = 20
    budget: AgentBudget = Field(default_factory=AgentBudget)
    approvals: Literal["auto", "ask"] = Field(
        default="auto", description="`ask`: each call that changes or runs something waits to be allowed."
    )

    @field_validator("tools")
    @classmethod
    def _allowed(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in AGENT_TOOLS:
                raise ValueError(f"Disallowed tool: {name[:60]}; there are {', '.join(AGENT_TOOLS)}")
        return value


class WorkflowTask(TaskOptions):
    """A scripted task: `steps`, or `jobs` of them. Every other field is of the workflow language, which checks it."""

    model_config = ConfigDict(extra="allow")

    type: Literal["workflow"] = "workflow"
    steps: list[Any] | None = None
    jobs: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _something_to_do(self) -> "WorkflowTask":
        if (self.steps is None) == (self.jobs is None):
            raise ValueError("a workflow has either steps or jobs")
        return self

    @property
    def document(self) -> dict[str, Any]:
        """What the workflow language is about: steps or jobs, and the fields that are not of every task."""
        given = {"steps": self.steps, "jobs": self.jobs}
        return {name: value for name, value in given.items() if value is not None} | (self.model_extra or {})


def _tag_of(body: Any) -> str:
    """What an absent `type` means: a workflow if there are steps or jobs, else an agent."""
    if not isinstance(body, dict):
        return f"<{getattr(body, 'type', '')}>"
    return f"<{body.get('type', 'workflow' if 'steps' in body or 'jobs' in body else 'agent')}>"


TaskRequest = Annotated[
    Annotated[AgentTask, Tag("<agent>")] | Annotated[WorkflowTask, Tag("<workflow>")],
    Discriminator(
        _tag_of,
        custom_error_type="invalid_task_type",
        custom_error_message="the type of a task is agent or workflow",
    ),
]
"""The body of `POST /tasks`."""

task_request: TypeAdapter[AgentTask | WorkflowTask] = TypeAdapter(TaskRequest)


class TaskFailure(Frozen):
    """Why a task has failed: a word for programs, a sentence for people."""

    code: str
    message: str


class TaskDelivery(Frozen):
    """How far a task's events have come to its callback; a `dead` one waits to be delivered again by request."""

    url: str
    state: Literal["pending", "delivered", "dead"]
    delivered_seq: int
    dropped: int = 0
    attempts: int = 0
    error: str | None = None


class Task(Frozen):
    """A task: what was asked (without its secrets) and where it is. `events` is the number of its last event."""

    id: str
    type: TaskType
    status: TaskStatus
    key: str | None = None
    request: dict[str, Any]
    secret_names: tuple[str, ...] = ()
    request_id: str | None = None
    waiting_for: str | None = Field(default=None, description="What a task that does not run waits for.")
    worker: str | None = None
    attempts: int = 0
    max_attempts: int = 1
    error: TaskFailure | None = None
    events: int
    events_url: str
    delivery: TaskDelivery | None = None
    artifacts: tuple[str, ...] = ()
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Tasks(Frozen):
    """Tasks, the latest first. `next` is what to send as `before` for older ones; null when there are none."""

    tasks: tuple[Task, ...]
    next: str | None


class TaskReceipt(Frozen):
    """A task was taken. `callback_secret` is what its callbacks are signed with."""

    id: str
    status: TaskStatus
    events_url: str
    callback_secret: str | None = None


class _Event(Frozen):
    """Whoever keeps an event gives it the last three; whoever emits one leaves them out."""

    task_id: str = ""
    seq: int = 0
    timestamp: datetime | None = None


class TokenEvent(_Event):
    """Text of a model, as it came; `token_index` counts from 0 in each message."""

    type: Literal["token"] = "token"
    message_id: str
    text: str
    token_index: int


class ToolStartEvent(_Event):
    """A tool is about to be used, with these arguments."""

    type: Literal["tool_start"] = "tool_start"
    message_id: str
    tool_id: str
    tool_name: str
    args: dict[str, Any] | None = None


class ToolEndEvent(_Event):
    """A tool has answered, or has failed."""

    type: Literal["tool_end"] = "tool_end"
    tool_id: str
    tool_state: Literal["success", "error"]
    output: str | None = None


class StepStartEvent(_Event):
    """A step is about to run; `step_index` counts from 0 through the whole task, `job` is the one it is of."""

    type: Literal["step_start"] = "step_start"
    step_name: str
    step_index: int
    job: str | None = None


class StepEndEvent(_Event):
    """A step has ended; `error` is for what never ran."""

    type: Literal["step_end"] = "step_end"
    step_name: str
    step_index: int
    step_state: Literal["success", "failure", "error", "skipped", "cancelled"]
    output: str | None = None
    job: str | None = None


class LogEvent(_Event):
    """A line that a program wrote, or that is about the task."""

    type: Literal["log"] = "log"
    level: Literal["debug", "info", "warning", "error", "stdout", "stderr"]
    message: str
    step_index: int | None = None
    job: str | None = None


class ArtifactEvent(_Event):
    """A file of the task was kept, to be had under this name."""

    type: Literal["artifact"] = "artifact"
    name: str
    size_bytes: int


class ApprovalEvent(_Event):
    """A tool waits to be allowed with exactly these arguments, or that was decided."""

    type: Literal["approval"] = "approval"
    approval_id: str
    state: Literal["asked", "approved", "denied"]
    tool_name: str
    args: dict[str, Any] = Field(default_factory=dict)


class ApprovalDecision(BaseModel):
    """Whether a tool may be used with exactly the arguments that were asked for."""

    model_config = ConfigDict(extra="forbid")

    approved: StrictBool


class StatusEvent(_Event):
    """The task is somewhere else now."""

    type: Literal["status"] = "status"
    status: TaskStatus
    reason: str | None = None


class DoneEvent(_Event):
    """The last event of a task that did what it should."""

    type: Literal["done"] = "done"


class ErrorEvent(_Event):
    """The last event of any other task; its `code` is `cancelled` for one that was."""

    type: Literal["error"] = "error"
    message: str
    code: str


AnyTaskEvent = (
    TokenEvent
    | ToolStartEvent
    | ToolEndEvent
    | StepStartEvent
    | StepEndEvent
    | LogEvent
    | ArtifactEvent
    | ApprovalEvent
    | StatusEvent
    | DoneEvent
    | ErrorEvent
)
TaskEvent = Annotated[AnyTaskEvent, Field(discriminator="type")]
task_event: TypeAdapter[AnyTaskEvent] = TypeAdapter(TaskEvent)
EmittedEvent = (
    TokenEvent | ToolStartEvent | ToolEndEvent | StepStartEvent | StepEndEvent | LogEvent | ApprovalEvent | StatusEvent
)
"""What a handler emits: the ends are its outcome's, and artifacts come of `keep`."""

FINAL_STATUSES = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED})
"""A task that is there stays there."""

CRITICAL_EVENTS = frozenset({"done", "error", "tool_end"})
"""The types of events that a callback is tried longest for."""
