"""Pictures of charts, drawn by a process of its own that has no network and may use only so much memory and time."""

import json
import subprocess
import sys
from typing import Any, Literal

import anyio

from holdfast.errors import EngineError, InvalidFieldError

SECONDS = 20.0
AT_ONCE = 2
MAX_PICTURE = 16 << 20
_PROGRAM = (sys.executable, "-I", "-m", "holdfast.data.picture")
_turns = anyio.Semaphore(AT_ONCE)


async def draw(spec: dict[str, Any], kind: Literal["png", "svg"]) -> bytes:
    """The picture of a specification.

    Raises InvalidFieldError when it cannot be drawn, EngineError when nothing can be drawn here.
    """
    asked = json.dumps({"kind": kind, "spec": spec}).encode()
    async with _turns:
        with anyio.move_on_after(SECONDS) as limit:
            drawn = await anyio.run_process(_PROGRAM, input=asked, check=False, stderr=subprocess.PIPE, env={})
    if limit.cancelled_caught:
        raise InvalidFieldError(f"The chart was not drawn after {SECONDS:g} s; draw fewer rows.", field="format")
    if drawn.returncode == 0 and drawn.stdout:
        return drawn.stdout
    if drawn.returncode == 3:
        raise EngineError("Charts cannot be drawn on this host: the drawer could not give up its network.")
    raise InvalidFieldError("The chart cannot be drawn; choose another one, or fewer rows.", field="format")
