"""What `uses` can name: built into this runner, with nothing fetched from anywhere."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from anyio.to_thread import run_sync

from holdfast.agents.workflow.contexts import Shared
from holdfast.agents.workflow.scripts import ScriptEnd
from holdfast.agents.workflow.telling import StepTeller
from holdfast.agents.workplace import Workplace
from holdfast.engines import Command, Output
from holdfast.errors import TooLargeError, WorkspaceError

CHECKOUT_SECONDS = 60.0
MAX_KEY_CHARACTERS = 512
_ARTIFACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
_WORKSPACE = "workspace"
"""What the workspace of the task is kept under."""

_TAR_WITHOUT_FILES = 10_240


class Asker(Protocol):
    """The job a step is of."""

    checked_out: bool
    to_save: list[tuple[str, str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One use of an action: by which job, where, and with what."""

    job: Asker
    shared: Shared
    place: Workplace
    inputs: Mapping[str, str]
    teller: StepTeller

    def is_on(self, name: str) -> bool:
        """Whether an input is true."""
        return self.inputs.get(name, "").strip().lower() == "true"

    def needed(self, name: str) -> str:
        """An input that must be there. Raises WorkspaceError."""
        value = self.inputs.get(name, "").strip()
        if not value:
            raise WorkspaceError(f"'{name}' is required under 'with'.")
        return value

    def check_told(self, what: str, name: str) -> None:
        """Refuse a name that is told or kept as it is, when there is a secret in it. Raises WorkspaceError."""
        if self.shared.teller.has_secret(name):
            raise WorkspaceError(f"The {what} holds a secret; choose another.")

    @property
    def paths(self) -> tuple[str, ...]:
        """The patterns of `path`, one a line."""
        return tuple(line.strip() for line in self.needed("path").splitlines() if line.strip())


async def perform(action: str, asked: Asked) -> ScriptEnd:
    """Do what an action does. Raises WorkspaceError, TooLargeError, EngineError."""
    return await _ACTIONS[action](asked)


async def _checkout(asked: Asked) -> ScriptEnd:
    if not asked.shared.workspace:
        await asked.teller.log("The task has no workspace; there is nothing to check out.", "warning")
        return ScriptEnd("success")
    path = asked.inputs.get("path", "").strip() or "."
    count = await asked.place.unpack(asked.shared.workspace, at=path)
    asked.job.checked_out = asked.job.checked_out or path == "."
    ref = asked.inputs.get("ref", "").strip()
    if ref:
        await _switch(asked, path, ref)
    await asked.teller.log(f"Checked out {count:,} files and directories{f', at {ref}' if ref else ''}.")
    return ScriptEnd("success")


async def _switch(asked: Asked, path: str, ref: str) -> None:
    """Only what the workspace holds can be checked out: there is no network here."""
    said = bytearray()

    async def hear(output: Output) -> None:
        said.extend(output.data[:2000])

    script = (
        'cd -- "$1" && git checkout --quiet --force "origin/$2" -- 2>/dev/null || git checkout --quiet --force "$2" --'
    )
    command = Command(argv=("/bin/sh", "-c", script, "sh", path, ref), wall_seconds=CHECKOUT_SECONDS)
    exited = await asked.place.run(command, hear)
    if exited.exit_code != 0:
        reason = bytes(said[:300]).decode(errors="replace").strip()
        raise WorkspaceError(f"The workspace of the task cannot be switched to '{ref[:100]}': {reason}.")


async def _upload(asked: Asked) -> ScriptEnd:
    name = asked.inputs.get("name", "").strip() or "artifact"
    if not _ARTIFACT_NAME.fullmatch(name) or name == _WORKSPACE:
        raise WorkspaceError(
            f"'{name[:80]}' is no name for an artifact; use letters, digits, '.', '_', '-' and blanks, "
            "and not 'workspace'."
        )
    asked.check_told("name of an artifact", name)
    tar = await asked.place.pack(asked.paths)
    if _is_empty(tar):
        return await _nothing_found(asked)
    asked.shared.artifacts.put(name, tar, overwrite=asked.is_on("overwrite"))
    await asked.shared.keep(f"{name}.tar", tar)
    await asked.teller.log(f"Kept the artifact '{name}', {len(tar):,} bytes.")
    return ScriptEnd("success", outputs={"artifact-id": name})


async def _nothing_found(asked: Asked) -> ScriptEnd:
    what = asked.inputs.get("if-no-files-found", "warn").strip()
    sentence = f"No file fits {', '.join(asked.paths)}."
    if what == "error":
        return ScriptEnd("failure", sentence)
    if what == "warn":
        await asked.teller.log(sentence, "warning")
    return ScriptEnd("success")


async def _download(asked: Asked) -> ScriptEnd:
    at = asked.inputs.get("path", "").strip() or "."
    name = asked.inputs.get("name", "").strip()
    if name:
        count = await asked.place.unpack(asked.shared.artifacts.get(name), at=at)
        await asked.teller.log(f"Placed the artifact '{name}': {count:,} files and directories.")
        return ScriptEnd("success", outputs={"download-path": at})
    for known, tar in asked.shared.artifacts.all().items():
        await asked.place.unpack(tar, at=at if asked.is_on("merge-multiple") else f"{at}/{known}")
    await asked.teller.log(f"Placed {len(asked.shared.artifacts.all())} artifacts.")
    return ScriptEnd("success", outputs={"download-path": at})


async def _cache(asked: Asked) -> ScriptEnd:
    key, shared = asked.needed("key"), asked.shared
    if len(key) > MAX_KEY_CHARACTERS:
        raise WorkspaceError(f"The key of a cache has at most {MAX_KEY_CHARACTERS} characters.")
    asked.check_told("key of a cache", key)
    version = "\n".join(asked.paths)
    prefixes = [line.strip() for line in asked.inputs.get("restore-keys", "").splitlines() if line.strip()]
    found = await run_sync(shared.cache.get, shared.owner, version, key, prefixes)
    if found is None and asked.is_on("fail-on-cache-miss"):
        return ScriptEnd("failure", f"Nothing is kept under the key '{key}'.")
    if found is not None and not asked.is_on("lookup-only"):
        await asked.place.unpack(found[1])
    exact = found is not None and found[0] == key
    await asked.teller.log(f"Cache: {'nothing' if found is None else repr(found[0])} for the key '{key}'.")
    if not exact:
        asked.job.to_save.append((key, version, asked.paths))
    outputs = {"cache-hit": "true" if exact else "false", "cache-primary-key": key}
    return ScriptEnd("success", outputs=outputs | ({"cache-matched-key": found[0]} if found else {}))


async def save(shared: Shared, place: Workplace, key: str, version: str, paths: tuple[str, ...]) -> None:
    """What a cache step wanted to find, for the next time; what is too large is not kept."""
    try:
        tar = await place.pack(paths)
    except TooLargeError:
        return
    if not _is_empty(tar):
        await run_sync(shared.cache.put, shared.owner, version, key, tar)


def _is_empty(tar: bytes) -> bool:
    return len(tar) <= _TAR_WITHOUT_FILES and not tar.strip(b"\0")


_ACTIONS: Mapping[str, Callable[[Asked], Awaitable[ScriptEnd]]] = {
    "checkout": _checkout,
    "upload-artifact": _upload,
    "download-artifact": _download,
    "cache": _cache,
}
