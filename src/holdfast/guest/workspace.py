"""What the server asks about a workspace that more than one file is needed for: one question a process.

The question is the first argument; a file's content, or an archive, is on stdin. The answer is on stdout: JSON, or an
archive. What cannot be done is a sentence on stderr and exit code 1.
"""

from __future__ import annotations

import errno
import json
import os
import sys

from holdfast.guest import file_tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


_FULL = {errno.ENOSPC: "the workspace is full", errno.EFBIG: "a file is larger than the workspace may be"}


def _tool(root: int, name: str, arguments: dict[str, Any]) -> str:
    if name == "write":
        arguments["content"] = sys.stdin.buffer.read().decode()
    return json.dumps(getattr(file_tools.Files(root), name)(**arguments))


def _with_tars(root: int, op: str, patterns: list[str]) -> str:
    # What reads archives takes as long to load as most questions to answer.
    from holdfast.guest import tars

    if op == "unpack":
        count = tars.unpack(root, sys.stdin.buffer)
        tars.keep_out_of_git(root)
        return json.dumps(count)
    if op == "digest":
        return json.dumps(tars.digest(root, patterns))
    if op == "clear":
        tars.clear(root)
        return ""
    with os.fdopen(os.dup(1), "wb") as out:
        tars.pack(root, patterns, out)
    return ""


def _answer(asked: dict[str, Any]) -> str:
    workspace = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    if asked["op"] == "tool":
        return _tool(workspace, asked["name"], asked["arguments"])
    root = file_tools.Files(workspace).directory(asked.get("at", "."))
    return _with_tars(root, asked["op"], asked.get("patterns", []))


def _said(error: BaseException) -> str:
    if isinstance(error, file_tools.ToolFault):
        return str(error)
    number = error.errno if isinstance(error, OSError) else None
    return _FULL.get(number or 0) or f"{type(error).__name__}: {error}"


def main(question: str) -> NoReturn:
    """Answer one question and end."""
    try:
        sys.stdout.write(_answer(json.loads(question)))
        sys.stdout.flush()
    except (file_tools.ToolFault, OSError, UnicodeError, MemoryError, RecursionError) as error:
        sys.stderr.write(_said(error))
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
