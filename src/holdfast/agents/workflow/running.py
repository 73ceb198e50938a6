"""All jobs of a workflow: each begins when those it needs have ended, so many at a time."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio

from holdfast.agents.workflow.checking import condition_of, jobs_of
from holdfast.agents.workflow.contexts import Shared, known_to_all
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
from holdfast.agents.workflow.job import JobEnd, JobRun
from holdfast.agents.workflow.matrix import Combination, combinations, resolved, title
from holdfast.errors import HoldfastError
from holdfast.types import LogEvent, WorkflowJob


class WorkflowRun:
    """One workflow from its begin to its end."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._jobs = jobs_of(shared.workflow)
        self._known = known_to_all(shared)
        self._ended = {name: anyio.Event() for name in self._jobs}
        self._failure: HoldfastError | None = None
        self.ends: dict[str, JobEnd] = {}
        self.workspace: bytes | None = None

    async def run(self) -> None:
        """Do every job; `ends` has what they came to. Raises HoldfastError for what is no fault of theirs."""
        async with anyio.create_task_group() as group:
            for name, job in self._jobs.items():
                group.start_soon(self._in_turn, name, job, group.cancel_scope)
        if self._failure is not None:
            raise self._failure

    async def _in_turn(self, name: str, job: WorkflowJob, everything: anyio.CancelScope) -> None:
        for needed in job.needs:
            await self._ended[needed].wait()
        try:
            self.ends[name] = await self._job(name, job)
        except HoldfastError as error:
            self._failure = self._failure or error
            everything.cancel()
        self._ended[name].set()

    async def _job(self, name: str, job: WorkflowJob) -> JobEnd:
        known = {**self._known, "needs": {each: self._of_needs(each) for each in job.needs}}
        scope = Scope(known, self._status_functions(job))
        try:
            if not self._is_wanted(job, scope):
                await self._note(name, f"The job '{name}' was skipped.")
                return JobEnd("skipped")
            combined = combinations(job.strategy, scope)
            return await self._all_of(name, job, known, combined, scope)
        except ExpressionError as error:
            await self._note(name, f"The job '{name}' cannot be done: {error}.")
            return JobEnd("failure", reason=str(error))

    async def _note(self, job: str, message: str) -> None:
        await self._shared.teller.say(
            LogEvent(
                level="info",
                message=self._shared.teller.masked(message),
                job=job if self._shared.workflow.jobs else None,
            )
        )

    def _of_needs(self, name: str) -> Mapping[str, Value]:
        end = self.ends[name]
        return {"result": end.result, "outputs": dict(end.outputs)}

    def _status_functions(self, job: WorkflowJob) -> Mapping[str, Any]:
        results = {self.ends[name].result for name in job.needs}
        above = {self.ends[name].result for name in self._ancestors(job)}
        return {
            "success": lambda: results <= {"success"},
            "failure": lambda: "failure" in above,
            "cancelled": lambda: "cancelled" in above,
            "always": lambda: True,
        }

    def _ancestors(self, job: WorkflowJob) -> set[str]:
        found: set[str] = set()
        pending = [*job.needs]
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self._jobs[name].needs
        return found

    def _is_wanted(self, job: WorkflowJob, scope: Scope) -> bool:
        node = condition_of(job.if_ or "success()")
        if not speaks_of(node, STATUS_FUNCTIONS) and not scope.functions["success"]():
            return False
        return is_true(evaluate(node, scope))

    async def _all_of(
        self, name: str, job: WorkflowJob, known: Mapping[str, Value], combined: list[Combination], scope: Scope
    ) -> JobEnd:
        """The job once for each combination."""
        fail_fast = is_true(resolved(job.strategy.fail_fast, scope))
        most = _at_a_time(resolved(job.strategy.max_parallel, scope), len(combined))
        limiter = anyio.CapacityLimiter(most)
        stop = anyio.Event()
        ends: dict[int, JobEnd] = {}

        async def one(index: int, combination: Combination) -> None:
            strategy = {
                "fail-fast": fail_fast,
                "job-index": index,
                "job-total": len(combined),
                "max-parallel": most,
            }
            contexts = {**known, "matrix": dict(combination), "strategy": strategy}
            async with limiter, self._shared.running:
                ends[index] = await self._one(name, job, contexts, stop)
            if ends[index].result == "failure" and fail_fast:
                stop.set()

        await _together([partial(one, index, each) for index, each in enumerate(combined)])
        return _joined([ends[index] for index in sorted(ends)])

    async def _one(self, name: str, job: WorkflowJob, contexts: Mapping[str, Value], stop: anyio.Event) -> JobEnd:
        if stop.is_set():
            return JobEnd("cancelled")
        scope = Scope(contexts)
        told = title(name, contexts["matrix"])
        try:
            if job.name is not None:
                told = text_of(resolved(job.name, scope)) or told
            _check_place(resolved(job.runs_on, scope))
            end = await JobRun(self._shared, name, self._shared.teller.masked(told)[:200], job, contexts, stop).run()
            forgiven = is_true(resolved(job.continue_on_error, scope))
        except ExpressionError as error:
            await self._note(name, f"The job '{told}' cannot be done: {error}.")
            return JobEnd("failure", reason=str(error))
        if end.workspace is not None:
            self.workspace = end.workspace
        if end.result == "failure" and forgiven:
            return JobEnd("success", end.outputs)
        return end


def _at_a_time(asked: Value, count: int) -> int:
    """How many of a matrix run at a time, if no other bound is reached. Raises ExpressionError."""
    if asked is None:
        return max(1, count)
    if not number_of(asked) >= 1:
        raise ExpressionError("'max-parallel' must be a number, 1 or more")
    return int(min(number_of(asked), max(1, count)))


def _check_place(runs_on: Value) -> None:
    if any(word in str(runs_on).lower() for word in ("windows", "macos")):
        raise ExpressionError("'runs-on' names what is not Linux; every job runs on Linux")


async def _together(tasks: list[Any]) -> None:
    """All of them; the first error of ours ends the others and is raised as it is."""
    failure: list[HoldfastError] = []

    async def guarded(task: Any, scope: anyio.CancelScope) -> None:
        try:
            await task()
        except HoldfastError as error:
            failure.append(error)
            scope.cancel()

    async with anyio.create_task_group() as group:
        for task in tasks:
            group.start_soon(guarded, task, group.cancel_scope)
    if failure:
        raise failure[0]


def _joined(ends: list[JobEnd]) -> JobEnd:
    """What the jobs of a matrix came to together."""
    outputs = {name: value for end in ends for name, value in end.outputs.items() if value}
    worst = next((end for end in ends if end.result == "failure"), None)
    worst = worst or next((end for end in ends if end.result == "cancelled"), None)
    return JobEnd(worst.result, outputs, worst.reason) if worst else JobEnd("success", outputs)
