"""The nouns of workflows: jobs and their steps, as GitHub Actions writes them and as a plain list of steps.

Text may hold expressions; what they may speak of is checked where they are understood (`agents.workflow`).
"""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)
from pydantic_core import PydanticCustomError

from holdfast.types.numbers import NoBoolean
from holdfast.types.run import Frozen

MAX_WORKFLOW_JOBS = 100
MAX_WORKFLOW_STEPS = 500
MAX_MATRIX_JOBS = 256
_NAME = r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$"
_NO_PLACE = "jobs run in a sandbox of their own, with the programs of this host"

BUILT_IN_ACTIONS: Mapping[str, frozenset[str]] = {
    "checkout": frozenset({"ref", "path", "clean", "fetch-depth", "persist-credentials"}),
    "upload-artifact": frozenset(
        {"name", "path", "if-no-files-found", "overwrite", "retention-days", "compression-level"}
    ),
    "download-artifact": frozenset({"name", "path", "merge-multiple"}),
    "cache": frozenset({"path", "key", "restore-keys", "fail-on-cache-miss", "lookup-only"}),
}
"""What `uses` can name, after `actions/`, and what may stand under its `with`."""


def _scalar_text(value: Any) -> Any:
    """Numbers and truths are written as text, null as none of it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _hyphened(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and "${{" in value


def _above_zero(value: float | str) -> float | str:
    if _is_expression(value):
        return value
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise ValueError("must be a number above 0, or an expression that makes one")
    return number


def _truth(value: bool | str) -> bool | str:
    if isinstance(value, bool) or _is_expression(value):
        return value
    if value not in ("true", "false"):
        raise ValueError("must be true, false or an expression")
    return value == "true"


_ScalarText = Annotated[str, BeforeValidator(_scalar_text)]
_Environment = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], _ScalarText]
_Condition = Annotated[str, BeforeValidator(_scalar_text)]
_Minutes = Annotated[float | str, AfterValidator(_above_zero), NoBoolean]
_Count = Annotated[int | str, AfterValidator(_above_zero), NoBoolean]
_Truth = Annotated[bool | str, AfterValidator(_truth)]


def _at(key: Any, reason: str, *keys: str) -> PydanticCustomError:
    """A fault of what stands under a key of the mapping that is looked at."""
    return PydanticCustomError("workflow", "{reason}", {"keys": (str(key)[:60], *keys), "reason": reason})


class _Part(Frozen):
    """A mapping of the document. `refused` says of keys we know why we do not take them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, alias_generator=AliasGenerator(alias=_hyphened)
    )
    refused: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _knows_every_key(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in value:
            if key in cls.refused:
                raise _at(key, f"it is not supported: {cls.refused[key]}")
            if key not in known and key not in cls.model_fields:
                raise _at(key, f"there is no such key here; there are {', '.join(sorted(known))}")
        return value


class RunDefaults(_Part):
    """With what, and where, `run` steps run that do not say."""

    shell: str | None = None
    working_directory: str | None = None


class WorkflowDefaults(_Part):
    """Defaults of all steps of a job or of all jobs."""

    run: RunDefaults = RunDefaults()


class WorkflowStep(_Part):
    """One step: a script (`run`), a built-in action (`uses`), or `env` and `checkout` of the plain form."""

    id: Annotated[str, Field(pattern=_NAME)] | None = None
    name: _ScalarText | None = None
    if_: _Condition | None = None
    type: Literal["run", "env", "checkout"] | None = None
    run: str | None = None
    uses: str | None = None
    with_: dict[str, _ScalarText] = Field(default_factory=dict)
    env: _Environment = Field(default_factory=dict)
    shell: str | None = None
    working_directory: str | None = None
    timeout_minutes: _Minutes | None = None
    continue_on_error: _Truth = False
    ref: str | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if self.type is None:
            if (self.run is None) == (self.uses is None):
                raise ValueError("a step has either 'run' or 'uses'")
        elif self.type == "run" and self.run is None:
            raise ValueError("a step of the type run needs 'run'")
        elif self.type != "run" and (self.run is not None or self.uses is not None):
            raise ValueError(f"a step of the type {self.type} has neither 'run' nor 'uses'")
        _check_uses(self)
        return self

    @property
    def action(self) -> str | None:
        """The built-in action it is, if it is one."""
        if self.type == "checkout":
            return "checkout"
        return self.uses.removeprefix("actions/").partition("@")[0] if self.uses is not None else None

    @property
    def inputs(self) -> dict[str, str]:
        """What its action is given."""
        return {"ref": self.ref, **self.with_} if self.ref is not None else self.with_


def _check_uses(step: WorkflowStep) -> None:
    if step.ref is not None and step.type != "checkout":
        raise ValueError("'ref' is for a step of the type checkout")
    if step.uses is None:
        if step.with_:
            raise ValueError("'with' is for a step that has 'uses'")
        return
    owner, _, rest = step.uses.partition("/")
    name, at, version = rest.partition("@")
    if owner != "actions" or name not in BUILT_IN_ACTIONS or not (at and version):
        known = ", ".join(f"actions/{known}@v4" for known in BUILT_IN_ACTIONS)
        raise _at(
            "uses",
            f"the action '{step.uses[:100]}' is not supported: nothing is fetched to be run; there are {known}, "
            "and 'run' for everything else",
        )
    unknown = sorted(set(step.with_) - BUILT_IN_ACTIONS[name])
    if unknown:
        known = ", ".join(sorted(BUILT_IN_ACTIONS[name]))
        raise _at("with", f"actions/{name} takes no such input here; it takes {known}", unknown[0][:60])


class Matrix(BaseModel):
    """Values of which every combination is a job of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    include: list[dict[str, JsonValue]] | str = Field(default_factory=list)
    exclude: list[dict[str, JsonValue]] | str = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_lists(self) -> Self:
        for name, values in self.axes.items():
            if not _is_expression(values) and not (isinstance(values, list) and values):
                raise _at(name, "must be a list with something in it, or an expression that makes one")
        if prod(len(values) for values in self.axes.values() if isinstance(values, list)) > MAX_MATRIX_JOBS:
            raise ValueError(f"the matrix means more than {MAX_MATRIX_JOBS} jobs")
        return self

    @property
    def axes(self) -> dict[str, Any]:
        """Lists of values by name, or an expression instead of a list."""
        return self.model_extra or {}


class WorkflowStrategy(_Part):
    """How often a job is done."""

    matrix: Matrix | Annotated[str, Field(pattern=r"\$\{\{")] | None = None
    fail_fast: _Truth = True
    max_parallel: _Count | None = None


class WorkflowJob(_Part):
    """Steps in one sandbox, once the jobs it needs have ended."""

    refused: ClassVar[Mapping[str, str]] = {
        "container": f"{_NO_PLACE}; remove it",
        "services": f"nothing runs beside a job, because {_NO_PLACE}; start what you need in a step",
        "uses": "reusable workflows are not fetched; write the jobs here",
        "with": "it is for reusable workflows, which are not fetched",
        "secrets": "it is for reusable workflows; a step names the secrets it needs",
        "environment": "there are no deployment environments; remove it",
        "concurrency": "tasks do not wait for each other; remove it",
    }

    name: _ScalarText | None = None
    needs: Annotated[list[str], BeforeValidator(_one_or_more)] = Field(default_factory=list)
    if_: _Condition | None = None
    runs_on: JsonValue = None
    permissions: JsonValue = None
    env: _Environment = Field(default_factory=dict)
    defaults: WorkflowDefaults = WorkflowDefaults()
    outputs: dict[str, _ScalarText] = Field(default_factory=dict)
    strategy: WorkflowStrategy = WorkflowStrategy()
    timeout_minutes: _Minutes | None = None
    continue_on_error: _Truth = False
    steps: Annotated[list[WorkflowStep], Field(min_length=1)]

    @model_validator(mode="after")
    def _runs_on_linux(self) -> Self:
        if any(word in str(self.runs_on).lower() for word in ("windows", "macos")):
            raise _at("runs-on", "it names what is not Linux; every job runs on Linux")
        return self


class Workflow(_Part):
    """What a workflow task does: `jobs`, or `steps` of one job that finds the workspace in its place."""

    refused: ClassVar[Mapping[str, str]] = {
        "concurrency": "tasks do not wait for each other; remove it",
    }

    name: _ScalarText | None = None
    run_name: _ScalarText | None = None
    on: JsonValue = None
    permissions: JsonValue = None
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    env: _Environment = Field(default_factory=dict)
    defaults: WorkflowDefaults = WorkflowDefaults()
    jobs: Annotated[dict[Annotated[str, Field(pattern=_NAME)], WorkflowJob], Field(max_length=MAX_WORKFLOW_JOBS)] = (
        Field(default_factory=dict)
    )
    steps: list[WorkflowStep] | None = None

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if bool(self.jobs) == (self.steps is not None):
            raise ValueError("a workflow has either 'jobs' or 'steps'")
        if self.steps == []:
            raise ValueError("'steps' is empty")
        count = sum(len(job.steps) for job in self.jobs.values()) + len(self.steps or ())
        if count > MAX_WORKFLOW_STEPS:
            raise ValueError(f"a workflow has at most {MAX_WORKFLOW_STEPS} steps")
        return self


WORKFLOW_PARTS: Mapping[str, type[_Part]] = {
    "": Workflow,
    "jobs.<id>": WorkflowJob,
    "jobs.<id>.strategy": WorkflowStrategy,
    "steps[*]": WorkflowStep,
    "defaults": WorkflowDefaults,
    "defaults.run": RunDefaults,
}
"""The mappings of a document, by where they stand."""


def workflow_keys() -> dict[str, str | None]:
    """Every key there is, with the path to it, and of those not supported why."""
    found: dict[str, str | None] = {}
    for place, part in WORKFLOW_PARTS.items():
        before = f"{place}." if place else ""
        found |= {before + (field.alias or name): None for name, field in part.model_fields.items()}
        found |= {before + name: reason for name, reason in part.refused.items()}
    return found
