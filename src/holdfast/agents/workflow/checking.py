"""What can be known to be wrong before anything runs: expressions in their places, needs, names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from holdfast.agents.workflow.document import fault_at
from holdfast.agents.workflow.expressions import (
    OPEN,
    STATUS_FUNCTIONS,
    ExpressionError,
    Node,
    Template,
    check,
    parse,
    template,
)
from holdfast.agents.workflow.shells import command_of
from holdfast.types import Workflow, WorkflowJob, WorkflowStep

STEPS_JOB = "steps"
"""The job that a plain list of steps is."""

_HASH = frozenset({"hashfiles"})
_OF_JOB = frozenset({"github", "inputs", "needs"})
_STARTED = _OF_JOB | {"strategy", "matrix"}
_IN_STEP = _STARTED | {"env", "job", "runner", "steps"}


@dataclass(frozen=True, slots=True)
class Place:
    """Which contexts and which functions there are where an expression stands."""

    contexts: frozenset[str]
    functions: frozenset[str] = frozenset()


PLACES: Mapping[str, Place] = {
    "env": Place(frozenset({"github", "inputs", "secrets"})),
    "job.if": Place(_OF_JOB, STATUS_FUNCTIONS),
    "job.strategy": Place(_OF_JOB),
    "job": Place(_STARTED),
    "job.env": Place(_STARTED | {"secrets"}),
    "job.defaults": Place(_STARTED | {"env"}),
    "job.outputs": Place(_IN_STEP | {"secrets"}),
    "step": Place(_IN_STEP | {"secrets"}, _HASH),
    "step.if": Place(_IN_STEP, STATUS_FUNCTIONS | _HASH),
}

_Found = tuple[str, str, str]
"""A path in the document, the text there, and its place."""


@lru_cache(maxsize=4096)
def template_of(text: str) -> Template:
    """The pieces of a text, parsed once. Raises ExpressionError."""
    return template(text)


@lru_cache(maxsize=4096)
def condition_of(text: str) -> Node:
    """The tree of an `if`, with or without `${{ }}` around it. Raises ExpressionError."""
    stripped = text.strip()
    if OPEN not in stripped:
        return parse(stripped)
    pieces = template_of(stripped).pieces
    if len(pieces) != 1 or isinstance(pieces[0], str):
        raise ExpressionError(f"a condition is one expression; write it without '{OPEN}' around its parts")
    return pieces[0]


def jobs_of(workflow: Workflow) -> Mapping[str, WorkflowJob]:
    """The jobs; a plain list of steps is one."""
    return workflow.jobs or {STEPS_JOB: WorkflowJob(steps=workflow.steps or [])}


def check_workflow(workflow: Workflow) -> None:
    """Raises InvalidFieldError, whose field is the path in the document, for what cannot be done."""
    for path, text, place in _texts(workflow):
        read: Callable[[str], Node | Template] = condition_of if place.endswith(".if") else template_of
        try:
            tree = read(text)
            if isinstance(tree, Template):
                tree.check(PLACES[place].contexts, PLACES[place].functions)
            else:
                check(tree, PLACES[place].contexts, PLACES[place].functions)
        except ExpressionError as error:
            raise fault_at(path, str(error)) from None
    for path, shell in _shells(workflow):
        try:
            command_of(shell, "")
        except ExpressionError as error:
            raise fault_at(path, str(error)) from None
    for name, job in jobs_of(workflow).items():
        _check_needs(name, job, workflow.jobs)
        _check_ids(name, job, workflow)
    _check_order(workflow.jobs)


def _check_needs(name: str, job: WorkflowJob, jobs: Mapping[str, WorkflowJob]) -> None:
    for index, needed in enumerate(job.needs):
        if needed not in jobs:
            raise fault_at(f"jobs.{name}.needs[{index}]", f"there is no job '{needed[:60]}'")


def _check_order(jobs: Mapping[str, WorkflowJob]) -> None:
    try:
        TopologicalSorter({name: job.needs for name, job in jobs.items()}).prepare()
    except CycleError as error:
        around = error.args[1]
        raise fault_at(f"jobs.{around[0]}.needs", f"the jobs need each other: {' -> '.join(around)}") from None


def _check_ids(name: str, job: WorkflowJob, workflow: Workflow) -> None:
    seen = set()
    for index, step in enumerate(job.steps):
        if step.id in seen:
            raise fault_at(f"{_steps_path(name, workflow)}[{index}].id", f"another step is called '{step.id}'")
        if step.id is not None:
            seen.add(step.id)


def _steps_path(job: str, workflow: Workflow) -> str:
    return f"jobs.{job}.steps" if workflow.jobs else "steps"


def _shells(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """The shells that are known before anything runs."""
    found = [("defaults.run.shell", workflow.defaults.run.shell)]
    for name, job in jobs_of(workflow).items():
        found.append((f"jobs.{name}.defaults.run.shell", job.defaults.run.shell))
        steps = _steps_path(name, workflow)
        found += [(f"{steps}[{index}].shell", step.shell) for index, step in enumerate(job.steps)]
    return ((path, shell) for path, shell in found if shell is not None and OPEN not in shell)


def _texts(workflow: Workflow) -> Iterator[_Found]:
    yield from _in_mapping("env", workflow.env, "env")
    yield from _in_defaults("defaults", workflow.defaults.run.model_dump(), "env")
    for name, job in jobs_of(workflow).items():
        if workflow.jobs:
            yield from _in_job(f"jobs.{name}", job)
        for index, step in enumerate(job.steps):
            yield from _in_step(f"{_steps_path(name, workflow)}[{index}]", step)


def _in_job(path: str, job: WorkflowJob) -> Iterator[_Found]:
    if job.if_ is not None:
        yield f"{path}.if", job.if_, "job.if"
    yield from _in_mapping(f"{path}.env", job.env, "job.env")
    yield from _in_mapping(f"{path}.outputs", job.outputs, "job.outputs")
    yield from _in_defaults(f"{path}.defaults", job.defaults.run.model_dump(), "job.defaults")
    strategy = job.strategy
    yield from _in_values(f"{path}.strategy.fail-fast", strategy.fail_fast, "job.strategy")
    yield from _in_values(f"{path}.strategy.max-parallel", strategy.max_parallel, "job.strategy")
    matrix = strategy.matrix if isinstance(strategy.matrix, str | None) else strategy.matrix.model_dump()
    yield from _in_values(f"{path}.strategy.matrix", matrix, "job.strategy")
    for key in ("name", "runs_on", "timeout_minutes", "continue_on_error"):
        yield from _in_values(f"{path}.{key.replace('_', '-')}", getattr(job, key), "job")


def _in_step(path: str, step: WorkflowStep) -> Iterator[_Found]:
    if step.if_ is not None:
        yield f"{path}.if", step.if_, "step.if"
    yield from _in_mapping(f"{path}.env", step.env, "step")
    yield from _in_mapping(f"{path}.with", step.with_, "step")
    for key in ("name", "run", "shell", "working_directory", "timeout_minutes", "continue_on_error", "ref"):
        yield from _in_values(f"{path}.{key.replace('_', '-')}", getattr(step, key), "step")


def _in_mapping(path: str, values: Mapping[str, str], place: str) -> Iterator[_Found]:
    return ((f"{path}.{name}", text, place) for name, text in values.items())


def _in_defaults(path: str, run: Mapping[str, str | None], place: str) -> Iterator[_Found]:
    return ((f"{path}.run.{name.replace('_', '-')}", text, place) for name, text in run.items() if text is not None)


def _in_values(path: str, value: object, place: str) -> Iterator[_Found]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield path, value, place
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _in_values(f"{path}.{name}", each, place)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _in_values(f"{path}[{index}]", each, place)
