"""Layers on the host's disk: made by a process that sees nothing else (`guest.unpacking`), from what a sandbox sent."""

import asyncio
import errno
import json
import os
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from holdfast.engines.host import tree
from holdfast.engines.host.seccomp import compile_filter
from holdfast.errors import BuildFailedError, EngineError, StorageFullError

_STAGE = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.unpacking import unpack_here as go; go({!r})"
_FIRST_OWNER_AS_ROOT = 1_940_518_192
_OWNERS = 30_000
"""Ids above those of cells and gateways (`engine`); each state directory has its own, which owns all its layers."""


async def unpack(pieces: AsyncIterator[bytes], directory: Path, max_bytes: int) -> int:
    """Make the files that `pieces` describe in a fresh directory of ours; how many bytes they have.

    Raises BuildFailedError for what no layer may hold, StorageFullError, EngineError.
    """
    owner = _owner(directory)
    if owner is not None:
        os.chown(directory, owner, owner)
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        process = await _start(root, owner, max_bytes)
    finally:
        os.close(root)
    try:
        await _feed(process, pieces)
        outcome = await _outcome(process)
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if "refused" in outcome:
        raise BuildFailedError(f"Build failed: {outcome['refused']}.")
    if "failed" in outcome:
        raise _failure(outcome)
    return int(outcome["size"])


def _owner(directory: Path) -> int | None:
    if os.geteuid() != 0:
        return None
    return _FIRST_OWNER_AS_ROOT + zlib.crc32(str(directory.parent).encode()) % _OWNERS


async def _start(root: int, owner: int | None, max_bytes: int) -> asyncio.subprocess.Process:
    config = {
        "directory": root,
        "uid": owner,
        "max_bytes": max_bytes,
        "seccomp": compile_filter(shared_user=True).hex(),
    }
    command = (sys.executable, "-I", "-S", "-B", "-c", _STAGE.format(json.dumps(config)), str(tree.library_root()))
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(root,),
        start_new_session=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )


async def _feed(process: asyncio.subprocess.Process, pieces: AsyncIterator[bytes]) -> None:
    if process.stdin is None:
        raise AssertionError("it was started with a pipe")
    try:
        async for piece in pieces:
            process.stdin.write(piece)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        # It has ended early, and said why.
        return
    process.stdin.close()


async def _outcome(process: asyncio.subprocess.Process) -> dict[str, Any]:
    output, errors = await process.communicate()
    try:
        outcome: dict[str, Any] = json.loads(output)
    except ValueError:
        said = errors.decode(errors="replace").strip().splitlines()
        raise EngineError(f"The layer could not be unpacked: {said[-1] if said else 'it ended early'}.") from None
    return outcome


def _failure(outcome: dict[str, Any]) -> Exception:
    if outcome["errno"] in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError("The disk of the server is full; free some space and try again.")
    if outcome["errno"] in (errno.EEXIST, errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EINVAL):
        return BuildFailedError(f"Build failed: what was packed is damaged ({outcome['failed']}).")
    return EngineError(f"The layer could not be unpacked: {outcome['failed']}.")
