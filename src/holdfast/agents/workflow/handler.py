"""Does the tasks of the type `workflow`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anyio.to_thread import run_sync

from holdfast.agents.workflow.checking import check_workflow
from holdfast.agents.workflow.contexts import Shared, WorkflowBounds
from holdfast.agents.workflow.document import read_workflow
from holdfast.agents.workflow.running import WorkflowRun
from holdfast.agents.workflow.stores import NoCache, StepCache
from holdfast.agents.workflow.telling import Teller
from holdfast.agents.workplace import MAX_WORKSPACE_BYTES, check_network, cloned, diff, tar_of
from holdfast.errors import InvalidFieldError, TooLargeError, WorkspaceError
from holdfast.execution import Executor
from holdfast.execution.names import check_paths
from holdfast.tasks import TaskFailedError, TaskRun
from holdfast.types import AgentTask, File, LogEvent, WorkflowTask, Workspace

WORKSPACE_FILE, DIFF_FILE, SUMMARY_FILE = "workspace.tar", "workspace.diff", "summary.md"
"""The names under which a task keeps what it left: its workspace, what changed in it, what its steps summed up."""

_GIT_URL = re.compile(r"(https?|git)://[^\s\0]{1,2000}")
_GIT_REF = re.compile(r"(?!-)[A-Za-z0-9][A-Za-z0-9._/+@-]{0,199}")


def check_workspace(workspace: Workspace | None, executor: Executor) -> None:
    """Raises RequestError for a workspace that cannot be had."""
    if workspace is None:
        return
    if workspace.files is not None:
        check_paths(workspace.files)
        if sum(len(_content(each)) for each in workspace.files.values()) > MAX_WORKSPACE_BYTES:
            raise TooLargeError(f"The files are together larger than {MAX_WORKSPACE_BYTES:,} bytes.")
    if workspace.git is not None:
        if not _GIT_URL.fullmatch(workspace.git.url):
            raise InvalidFieldError("workspace.git.url must begin with https://, http:// or git://.", field="workspace")
        if workspace.git.ref is not None and not _GIT_REF.fullmatch(workspace.git.ref):
            raise InvalidFieldError("workspace.git.ref must be a branch, a tag or a commit.", field="workspace")
        check_network(executor)


async def workspace_tar(workspace: Workspace | None, executor: Executor) -> bytes:
    """What is in the workspace of a task when it begins, as a tar or zip; empty for nothing.

    Raises UnsupportedError, WorkspaceError, TooLargeError, EngineError.
    """
    if workspace is None:
        return b""
    if workspace.git is not None:
        return await cloned(executor, workspace.git.url, workspace.git.ref)
    if workspace.archive is not None:
        return workspace.archive.content()
    return tar_of({name: _content(each) for name, each in (workspace.files or {}).items()})


def _content(given: str | File) -> bytes:
    return given.content() if isinstance(given, File) else given.encode(errors="replace")


async def keep_workspace(
    task: TaskRun, executor: Executor, before: bytes, after: bytes, masked: Callable[[str], str]
) -> None:
    """Keep what a task left in its workspace, and the git patch of what it changed, without secrets.

    Raises EngineError.
    """
    try:
        await task.keep(WORKSPACE_FILE, after)
        patch = await diff(executor, before or tar_of({}), after)
        text = masked(patch.decode("utf-8", "surrogateescape"))
        await task.keep(DIFF_FILE, text.encode("utf-8", "surrogateescape"))
    except (WorkspaceError, TooLargeError) as error:
        await task.emit(LogEvent(level="warning", message=error.detail))


@dataclass(frozen=True, slots=True)
class WorkflowHandler:
    """Does workflows on one engine."""

    executor: Executor
    bounds: WorkflowBounds = field(default_factory=WorkflowBounds)
    cache: StepCache = field(default_factory=NoCache)

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Refuse what cannot be done as asked. Raises RequestError."""
        assert isinstance(request, WorkflowTask)
        check_workflow(read_workflow(request.document))
        check_workspace(request.workspace, self.executor)
        if request.network:
            check_network(self.executor)

    async def run(self, task: TaskRun) -> None:
        """Do it. Raises TaskFailedError, HoldfastError."""
        request = task.request
        assert isinstance(request, WorkflowTask)
        # Keys of many lines take a while to make ready.
        teller = await run_sync(Teller, task.emit, tuple(task.secrets.values()))
        before = await workspace_tar(request.workspace, self.executor)
        run = WorkflowRun(
            Shared(
                executor=self.executor,
                workflow=read_workflow(request.document),
                teller=teller,
                secrets=task.secrets,
                keep=task.keep,
                task_id=task.id,
                owner=task.caller.owner,
                attempt=task.attempt,
                workspace=before,
                network=request.network,
                bounds=self.bounds,
                cache=self.cache,
            )
        )
        await run.run()
        if run.workspace is not None:
            await keep_workspace(task, self.executor, before, run.workspace, teller.masked)
        if teller.summary:
            await task.keep(SUMMARY_FILE, teller.summary.encode(errors="replace"))
        _check_ends(run, teller)


def _check_ends(run: WorkflowRun, teller: Teller) -> None:
    """Raises TaskFailedError if a job has not done what it should."""
    failed: Mapping[str, str] = {
        name: end.reason or f"it was {end.result}"
        for name, end in run.ends.items()
        if end.result in ("failure", "cancelled")
    }
    if not failed:
        return
    name, reason = next(iter(failed.items()))
    others = f" ({len(failed) - 1} more jobs failed)" if len(failed) > 1 else ""
    sentence = f"The job '{name}' failed at {reason}" if "step '" in reason else f"The job '{name}' failed: {reason}"
    raise TaskFailedError("workflow_failed", teller.masked(f"{sentence.rstrip('.')}{others}."))
