"""The settings of tasks."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, PositiveInt, SecretStr, model_validator

from holdfast.settings.kinds import Listed, Positive, Size, described


class TaskSettings(BaseModel):
    """What an operator can choose of tasks, their workers and their callbacks."""

    workers: Annotated[int, Field(ge=0, le=1000)] = described(
        2, "Tasks that the server itself does at the same time; with 0 only runners elsewhere do any."
    )
    agent_model: str = described("claude-sonnet-5-5", "The model of an agent whose task names none.")
    agent_models: Annotated[tuple[str, ...], Listed] = described(
        (
            *("claude-sonnet-5-5", "gpt-6.1-terra"),
            # What the runner that Holdfast replaces allowed.
            *("claude-sonnet-4-20250514", "claude-3-5-sonnet-20241022"),
            *("claude-3-5-haiku-20241022", "claude-3-opus-20240229"),
        ),
        "Models that the tasks of agents may name.",
    )
    agent_tokens: PositiveInt = described(4096, "Tokens that one answer of an agent's model may have.")
    task_queue: PositiveInt = described(1000, "Tasks that may be waiting or running; more are answered 429.")
    task_timeout: Positive = described(3600.0, "Seconds a task gets when it does not say.")
    max_task_timeout: Positive = described(86_400.0, "Most seconds a task may ask for.")
    task_lease: Annotated[float, Field(ge=0.3, le=600)] = described(
        15.0, "Seconds after which a worker that is not heard of has lost its task; it is heard of thrice in this time."
    )
    task_logs: Size = described("16m", "What is kept of the logs of one task.")
    task_files: Size = described("256m", "What is kept of the files of one task.")
    task_store: Size = described(
        "2g", "What is kept of the events of tasks that have ended, and of their files; the oldest go first."
    )
    task_memory: Size = described("1g", "Memory of the sandbox a task works in; half of it may be files.")
    step_timeout: Positive = described(600.0, "Most seconds a step of a workflow may take.")
    workflow_jobs: PositiveInt = described(2, "Jobs of one workflow that run at the same time.")
    step_cache: Size = described("1g", "What the steps of workflows may cache for later ones; the oldest go first.")
    allow_private_callbacks: bool = described(
        False, "Let callbacks of tasks go to loopback and private addresses; never to link-local ones."
    )
    callback_backoff: Positive = described(
        0.5, "Seconds until a callback is tried again; then twice as long each time, up to 60 times this."
    )
    callback_secret: SecretStr | None = described(
        None, "What the secrets that sign the callbacks of tasks are made from.", "a file in the state directory"
    )

    @model_validator(mode="after")
    def _consistent_tasks(self) -> Self:
        if self.task_timeout > self.max_task_timeout:
            raise ValueError("task_timeout must not be above max_task_timeout")
        return self
