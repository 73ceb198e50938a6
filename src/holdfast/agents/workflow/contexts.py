"""What all jobs of a workflow share, and what expressions and programs are told of where they are."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from holdfast.agents.workflow.checking import template_of
from holdfast.agents.workflow.expressions import Scope, Value
from holdfast.agents.workflow.stores import Artifacts, NoCache, StepCache
from holdfast.agents.workflow.telling import Teller
from holdfast.agents.workplace import LIMITS
from holdfast.engines import WORKSPACE
from holdfast.execution import Executor
from holdfast.types import Limits, Workflow, WorkflowJob

_MACHINES = {"x86_64": "X64", "aarch64": "ARM64"}


@dataclass(frozen=True, slots=True)
class WorkflowBounds:
    """What a workflow may use: seconds of a step and of a job, and how many jobs run at a time."""

    step_seconds: float = 600
    job_seconds: float = 6 * 3600
    jobs_at_a_time: int = 2
    limits: Limits = LIMITS


@dataclass(slots=True)
class Shared:
    """One workflow that runs. `workspace` is a tar of what is checked out, `keep` keeps a file of the task."""

    executor: Executor
    workflow: Workflow
    teller: Teller
    secrets: Mapping[str, str]
    keep: Any
    task_id: str = ""
    owner: str | None = None
    attempt: int = 1
    workspace: bytes = b""
    network: bool = False
    bounds: WorkflowBounds = field(default_factory=WorkflowBounds)
    artifacts: Artifacts = field(default_factory=Artifacts)
    cache: StepCache = field(default_factory=NoCache)
    running: anyio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.running = anyio.CapacityLimiter(self.bounds.jobs_at_a_time)

    @property
    def inputs(self) -> Mapping[str, Value]:
        """What was given, over what `on.workflow_dispatch` says is usual."""
        on = self.workflow.on if isinstance(self.workflow.on, Mapping) else {}
        dispatch = on.get("workflow_dispatch")
        declared = dispatch.get("inputs") if isinstance(dispatch, Mapping) else None
        usual = {
            name: each["default"]
            for name, each in (declared.items() if isinstance(declared, Mapping) else ())
            if isinstance(each, Mapping) and "default" in each
        }
        return {**usual, **self.workflow.inputs}


def known_to_all(shared: Shared) -> dict[str, Value]:
    """The contexts that are the same in every job."""
    return {
        "github": {
            "event_name": "workflow_dispatch",
            "event": {"inputs": dict(shared.inputs)},
            "workflow": shared.workflow.name or "",
            "run_id": shared.task_id,
            "run_attempt": str(shared.attempt),
            "workspace": WORKSPACE,
            "actor": "",
            "ref": "",
            "sha": "",
            "repository": "",
        },
        "inputs": dict(shared.inputs),
        "runner": {
            "os": "Linux",
            "arch": _machine(),
            "name": "holdfast",
            "temp": "/tmp",
            "tool_cache": "/tmp",
            "environment": "self-hosted",
        },
    }


def standing(shared: Shared, job: str) -> dict[str, str]:
    """The variables that every program of a step finds."""
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": WORKSPACE,
        "GITHUB_JOB": job,
        "GITHUB_RUN_ID": shared.task_id,
        "GITHUB_RUN_ATTEMPT": str(shared.attempt),
        "GITHUB_WORKFLOW": shared.workflow.name or "",
        "GITHUB_EVENT_NAME": "workflow_dispatch",
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": _machine(),
        "RUNNER_NAME": "holdfast",
        "RUNNER_TEMP": "/tmp",
        "RUNNER_TOOL_CACHE": "/tmp",
    }


def environment_of(shared: Shared, job: WorkflowJob, scope: Scope) -> dict[str, str]:
    """The variables of the workflow and of the job. Raises ExpressionError."""
    levels = (shared.workflow.env, job.env)
    return {name: template_of(text).text(scope) for level in levels for name, text in level.items()}


def _machine() -> str:
    return _MACHINES.get(platform.machine(), platform.machine().upper())
