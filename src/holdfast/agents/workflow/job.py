"""One job: its steps in one sandbox, one after the other, each after what those before it have said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import anyio

from holdfast.agents.workflow import actions, commands
from holdfast.agents.workflow.checking import STEPS_JOB, condition_of, template_of
from holdfast.agents.workflow.contexts import Shared, environment_of, standing
from holdfast.agents.workflow.expressions import (
    STATUS_FUNCTIONS,
    ExpressionError,
    Scope,
    Value,
    evaluate,
    is_true,
    number_of,
    speaks_of,
    text_of,
)
from holdfast.agents.workflow.scripts import Script, ScriptEnd, Work, run_script
from holdfast.agents.workflow.telling import StepState, StepTeller
from holdfast.agents.workplace import Workplace, open_workplace
from holdfast.errors import RequestError, TooLargeError, WorkspaceError
from holdfast.types import LogEvent, WorkflowJob, WorkflowStep

Result = Literal["success", "failure", "cancelled", "skipped"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobEnd:
    """What a job came to. `reason` is about the step it failed at, `workspace` a tar of what it left."""

    result: Result
    outputs: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    workspace: bytes | None = None


class _Unhashed(Exception):
    """An expression asks for the hash of files, which only the sandbox can tell."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        super().__init__()
        self.patterns = patterns


class JobRun:
    """A job, or one of its matrix. `known` are the contexts that were there before it; `stop` ends it early."""

    def __init__(
        self, shared: Shared, name: str, title: str, job: WorkflowJob, known: Mapping[str, Value], stop: anyio.Event
    ) -> None:
        self._shared = shared
        self._name = name
        self._label = None if name == STEPS_JOB and not shared.workflow.jobs else title
        self._job = job
        self._known = known
        self._stop = stop
        self._status: Result = "success"
        self._reason = ""
        self._steps: dict[str, Any] = {}
        self._environment: dict[str, str] = {}
        self._directories: list[str] = []
        self._deadline = 0.0
        self.checked_out = self._label is None
        self.to_save: list[tuple[str, str, tuple[str, ...]]] = []

    async def run(self) -> JobEnd:
        """Do it. Raises HoldfastError for what is no fault of the workflow."""
        shared = self._shared
        minutes = self._minutes(self._job.timeout_minutes, self._scope(), shared.bounds.job_seconds)
        self._deadline = anyio.current_time() + minutes
        async with open_workplace(shared.executor, limits=shared.bounds.limits, network=shared.network) as place:
            work = Work(place, self._stop)
            self._environment = environment_of(self._shared, self._job, self._scope())
            if self.checked_out and shared.workspace:
                await place.unpack(shared.workspace)
            for index, step in enumerate(self._job.steps):
                await self._step(work, index, step)
            if place.lost:
                return JobEnd(self._status, reason=self._reason)
            if self._status == "success":
                await self._save(place)
            outputs = await self._outputs(place)
            left = await self._left(place) if self.checked_out else None
        return JobEnd(self._status, outputs, self._reason, left)

    async def _left(self, place: Workplace) -> bytes | None:
        """Its workspace as a tar. One that is too large is not kept, which makes no failure of what was done in it."""
        try:
            return await place.pack()
        except (WorkspaceError, TooLargeError) as error:
            told = f"The workspace was not kept: {error.detail}"
            await self._shared.teller.say(LogEvent(level="warning", message=told, job=self._label))
            return None

    async def _save(self, place: Workplace) -> None:
        for key, version, paths in self.to_save:
            await actions.save(self._shared, place, key, version, paths)

    async def _outputs(self, place: Workplace) -> dict[str, str]:
        """What it hands on; never a secret."""
        made: dict[str, str] = {}
        for name, text in self._job.outputs.items():
            value = await self._with_hashes(place, lambda scope, text=text: template_of(text).text(scope))  # type: ignore[misc]
            if not self._shared.teller.has_secret(value):
                made[name] = value
        return made

    async def _step(self, work: Work, index: int, step: WorkflowStep) -> None:
        """One step: whether, what, and what it means to the job."""
        teller = self._shared.teller.step(self._label)
        fallback = f"step-{index}" if self._label is None else f"Run {_headline(step)}"
        self._notice_stop()
        try:
            wanted = await self._is_wanted(work.place, step)
            name = self._text(step.name, fallback)
        except (ExpressionError, RequestError) as error:
            await teller.start(fallback)
            return await self._fail(teller, step, "error", str(error))
        if not wanted or work.place.lost or anyio.current_time() >= self._deadline:
            self._remember(step, "skipped", "skipped", {})
            return await teller.end("skipped", name=name)
        await teller.start(name)
        try:
            end = await self._do(work, step, teller)
        except (ExpressionError, RequestError, commands.CommandFault) as error:
            return await self._fail(teller, step, "error", str(error))
        if end.outcome == "success":
            self._remember(step, "success", "success", end.outputs)
            return await teller.end("success")
        await self._fail(teller, step, end.outcome, end.reason, end.outputs)

    def _notice_stop(self) -> None:
        if self._stop.is_set() and self._status == "success":
            self._status = "cancelled"

    async def _is_wanted(self, place: Workplace, step: WorkflowStep) -> bool:
        node = condition_of(step.if_ or "success()")
        if self._status != "success" and not speaks_of(node, STATUS_FUNCTIONS):
            return False
        return is_true(await self._with_hashes(place, lambda scope: evaluate(node, scope)))

    async def _fail(
        self,
        teller: StepTeller,
        step: WorkflowStep,
        state: StepState,
        reason: str,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        """It did not succeed; with continue-on-error that is nobody's matter but its own."""
        outcome: Result = "cancelled" if state == "cancelled" else "failure"
        try:
            goes_on = outcome == "failure" and self._is_on(step.continue_on_error)
        except ExpressionError as error:
            goes_on, reason = False, str(error)
        self._remember(step, outcome, "success" if goes_on else outcome, outputs or {})
        if not goes_on and self._status == "success":
            self._status, self._reason = outcome, f"step '{teller.name}': {reason}"
        if reason:
            await teller.log(reason, "error")
        await teller.end(state, reason if state == "error" else None)

    def _remember(self, step: WorkflowStep, outcome: str, conclusion: str, outputs: Mapping[str, str]) -> None:
        if step.id is not None:
            self._steps[step.id] = {"outputs": dict(outputs), "outcome": outcome, "conclusion": conclusion}

    async def _do(self, work: Work, step: WorkflowStep, teller: StepTeller) -> ScriptEnd:
        own = {name: await self._resolved(work.place, text) for name, text in step.env.items()}
        if step.type == "env":
            self._environment |= own
            await teller.log(f"Set {', '.join(own) or 'nothing'}.")
            return ScriptEnd("success")
        if step.action is not None:
            inputs = {name: await self._resolved(work.place, text, own) for name, text in step.inputs.items()}
            return await actions.perform(step.action, actions.Asked(self, self._shared, work.place, inputs, teller))
        return await self._run_script(work, step, own, teller)

    async def _run_script(
        self, work: Work, step: WorkflowStep, own: Mapping[str, str], teller: StepTeller
    ) -> ScriptEnd:
        scope = self._scope(own)
        asked = self._minutes(step.timeout_minutes, scope, self._shared.bounds.step_seconds)
        script = Script(
            text=await self._resolved(work.place, step.run or "", own),
            shell=self._default(step.shell, "shell", scope),
            directory=self._default(step.working_directory, "working_directory", scope) or ".",
            environment={**standing(self._shared, self._name), **self._environment, **own},
            path=self._directories,
            seconds=max(0.1, min(asked, self._deadline - anyio.current_time())),
            stoppable=not self._stop.is_set(),
        )
        end, said = await run_script(work, teller.streams(self._shared.bounds.limits.output_bytes), script)
        self._environment |= commands.read_variables(said["env"])
        self._directories = [*commands.read_directories(said["path"]), *self._directories]
        self._shared.teller.summarise(said["summary"])
        outputs = commands.read_pairs(said["output"], commands.FILES["output"])
        return ScriptEnd(end.outcome, end.reason, outputs)

    def _default(self, own: str | None, key: str, scope: Scope) -> str | None:
        """What the step says, or its job, or the workflow."""
        levels = (own, getattr(self._job.defaults.run, key), getattr(self._shared.workflow.defaults.run, key))
        text = next((level for level in levels if level is not None), None)
        return None if text is None else template_of(text).text(scope)

    def _minutes(self, given: float | str | None, scope: Scope, most_seconds: float) -> float:
        """Seconds of what was given in minutes, at most what there is."""
        if given is None:
            return most_seconds
        minutes = number_of(template_of(given).value(scope)) if isinstance(given, str) else given
        if not minutes > 0:
            raise ExpressionError("'timeout-minutes' must be a number above 0")
        return min(minutes * 60, most_seconds)

    def _is_on(self, given: bool | str) -> bool:
        return is_true(template_of(given).value(self._scope())) if isinstance(given, str) else given

    def _text(self, given: str | None, otherwise: str) -> str:
        return otherwise if given is None else template_of(given).text(self._scope()) or otherwise

    async def _resolved(self, place: Workplace, text: str, own: Mapping[str, str] | None = None) -> str:
        return await self._with_hashes(place, lambda scope: template_of(text).text(scope), own)

    async def _with_hashes(
        self, place: Workplace, wanted: Callable[[Scope], T], own: Mapping[str, str] | None = None
    ) -> T:
        """What is wanted of what is known; hashes of files that it asks for are got first."""
        hashes: dict[tuple[str, ...], str] = {}

        def hash_files(*patterns: Value) -> str:
            names = tuple(text_of(pattern) for pattern in patterns)
            if names not in hashes:
                raise _Unhashed(names)
            return hashes[names]

        while True:
            try:
                return wanted(self._scope(own, {"hashfiles": hash_files}))
            except _Unhashed as asked:
                hashes[asked.patterns] = await place.digest(asked.patterns)

    def _scope(
        self, own: Mapping[str, str] | None = None, functions: Mapping[str, Callable[..., Value]] | None = None
    ) -> Scope:
        """All that is known in a step."""
        contexts = {
            **self._known,
            "github": {**self._known["github"], "job": self._name},
            "secrets": self._shared.secrets,
            "env": {**self._environment, **(own or {})},
            "steps": self._steps,
            "job": {"status": self._status},
        }
        status: Mapping[str, Callable[..., Value]] = {
            "success": lambda: self._status == "success",
            "failure": lambda: self._status == "failure",
            "cancelled": lambda: self._status == "cancelled",
            "always": lambda: True,
        }
        return Scope(contexts, {**status, **(functions or {})})


def _headline(step: WorkflowStep) -> str:
    if step.run is None:
        return step.uses or step.type or ""
    return next((line.strip() for line in step.run.splitlines() if line.strip()), "")
