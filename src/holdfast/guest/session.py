"""The Python program of a session: IPython's shell, told what to run line by line, saying what comes of it in frames.

It is placed in a workspace as main.py, removes itself before anything else happens, and reads commands from what was
its stdin: `{"op": "run", "id", "code"}`, and `{"op": "shown", "id"}` once a display has been taken. Frames are lines of
JSON: `ready`, `failed`, `display {id, kind, data, metadata}`, `done {id, exit_code, count, error}`. Everything a
program prints goes to stdout and stderr as ever.

It runs beside untrusted code, which can change all of it: its word is only about the outcome of that code.
"""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from types import FrameType, TracebackType
from typing import Any

FRAMES = int(os.environ.pop("HOLDFAST_FRAMES"))

try:
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config
except ImportError as missing:
    os.write(FRAMES, json.dumps({"op": "failed", "error": str(missing)}).encode() + b"\n")
    sys.exit(1)

MAX_DISPLAY_BYTES = 8 << 20
FRAME_BUFFER_BYTES = 4 * MAX_DISPLAY_BYTES
"""A frame is written from a buffer that holds it all, so that an interrupt cannot cut one."""

MAX_METADATA_BYTES = 1 << 20
MAX_DEPTH = 100
MIME_TYPES = (
    "text/plain",
    "text/html",
    "text/markdown",
    "text/latex",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "application/json",
)
VEGA = "application/vnd.vega"
INTERRUPTED = 130


class Wire:
    """Commands in, frames out, on descriptors that no child inherits and that are not the standard ones."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._shown = 0
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(FRAMES), "wb", buffering=FRAME_BUFFER_BYTES)
        os.close(FRAMES)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdin = os.fdopen(0, closefd=False)

    @property
    def is_ours(self) -> bool:
        """Whether this is still the process that was started, and not a fork of it."""
        return os.getpid() == self._owner

    def commands(self) -> Any:
        """Each thing to run, until the other side goes away."""
        while line := self._in.readline():
            command = json.loads(line)
            if command["op"] == "run":
                yield command

    def send(self, frame: dict[str, Any]) -> None:
        """Send one frame; half of a surrogate pair, which is not text, becomes a question mark."""
        with self._lock:
            self._out.write(json.dumps(frame, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            self._out.flush()

    def show(self, kind: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Send a display and wait until it was taken, so that what is printed next comes out after it."""
        with self._lock:
            self._shown += 1
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            number = self._shown
            small = is_plain(metadata) and len(json.dumps(metadata)) <= MAX_METADATA_BYTES
            known = metadata if small else {}
            self.send({"op": "display", "id": number, "kind": kind, "data": data, "metadata": known})
            while line := self._in.readline():
                if json.loads(line) == {"op": "shown", "id": number}:
                    return


def bundle(data: dict[str, Any]) -> dict[str, Any]:
    """What can be shown of it, as text or JSON."""
    found = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in data.items()
        if name in MIME_TYPES or name.startswith(VEGA)
    }
    if not is_plain(found):
        found = {name: value for name, value in found.items() if isinstance(value, str)}
    size = len(json.dumps(found))
    if size <= MAX_DISPLAY_BYTES:
        return found
    return {"text/plain": f"(a display of {size:,} bytes was left out: at most {MAX_DISPLAY_BYTES:,} can be shown)"}


def is_plain(value: Any) -> bool:
    """Whether it is JSON that everybody can read: no NaN, nothing nested without end."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return _is_shallow(value, MAX_DEPTH)


def _is_shallow(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list | tuple):
        return True
    below = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in below)


WIRE = Wire()


class Hook(DisplayHook):
    """Shows the value of a last expression."""

    def write_output_prompt(self) -> None:
        """There is no prompt."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        WIRE.show("value", bundle(format_dict), md_dict or {})

    def finish_displayhook(self) -> None:
        """Nothing was printed that would need a line to end."""


class Publisher(DisplayPublisher):
    """Shows what `display` is given."""

    def publish(self, data: Any, metadata: Any = None, **_: Any) -> None:
        if WIRE.is_ours:
            WIRE.show("display", bundle(data), metadata or {})
        else:
            print(data.get("text/plain", ""))

    def clear_output(self, wait: bool = False) -> None:
        """What was shown stays shown."""


class Shell(InteractiveShell):
    """Keeps the last error, prints its traceback to stderr, and stays when asked to leave."""

    last_failure: Any = None

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, value, trace = super()._get_exc_info(exc_tuple)
        end_where_interrupted(trace)
        return kind, value, trace

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        told = "\n".join(map(str, stb)).rstrip("\n")
        self.last_failure = (etype.__name__, _text(evalue), told)
        print(told, file=sys.stderr)

    def showtraceback(self, *args: Any, **options: Any) -> None:
        """To leave is no failure; what it was left with is printed, as CPython does."""
        leaving = sys.exc_info()[1]
        if not isinstance(leaving, SystemExit):
            super().showtraceback(*args, **options)
        elif leaving.code is not None and not isinstance(leaving.code, int):
            print(leaving.code, file=sys.stderr)

    def system(self, cmd: str) -> None:
        """Run a command of the shell, which writes where we write."""
        _flush()
        self.user_ns["_exit_code"] = subprocess.call(self.var_expand(cmd, depth=1), shell=True)  # noqa: S602

    def ask_exit(self) -> None:
        """A session ends when it is deleted."""

    def init_io(self) -> None:
        """The streams are as they should be."""


def make_shell() -> Any:
    """IPython's shell, without a terminal, a history file or colours."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Context"
    return Shell.instance(config=config, displayhook_class=Hook, display_pub_class=Publisher)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} without a text>"


class Runner:
    """Runs one command after the other."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def run(self, command: dict[str, Any]) -> None:
        """Run the code of one command and say how it went."""
        self._shell.last_failure = None
        try:
            exit_code, error = self._outcome(command["code"])
        except BaseException as raised:
            exit_code, error = _astray(raised)
        heed_interrupts()
        if not WIRE.is_ours:
            os._exit(min(exit_code, 255))
        _flush()
        count = self._shell.execution_count - 1
        WIRE.send({"op": "done", "id": command["id"], "exit_code": exit_code, "count": count, "error": error})

    def _outcome(self, code: str) -> tuple[int, Any]:
        result = self._shell.run_cell(code, store_history=True)
        raised = result.error_before_exec or result.error_in_exec
        if raised is None:
            return 0, None
        if isinstance(raised, SystemExit):
            return _exit_code(raised.code), None
        failure = self._shell.last_failure or (
            type(raised).__name__,
            _text(raised),
            "".join(traceback.format_exception(raised)),
        )
        return INTERRUPTED if isinstance(raised, KeyboardInterrupt) else 1, _described(*failure)


def _described(name: str, value: str, told: str) -> dict[str, Any]:
    return {"name": name[:200], "value": value[:100_000], "traceback": told[-200_000:]}


def _astray(raised: BaseException) -> tuple[int, dict[str, Any]]:
    """What came out of the shell itself: an interrupt in its midst, maybe as the error that it has led to there."""
    if isinstance(raised, KeyboardInterrupt) or isinstance(raised.__context__, KeyboardInterrupt):
        return INTERRUPTED, _described("KeyboardInterrupt", "", "KeyboardInterrupt")
    told = "".join(traceback.format_exception(raised))
    return 1, _described(type(raised).__name__, _text(raised), told)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    return code & 255 if isinstance(code, int) else 1


def on_interrupt(number: int, frame: FrameType | None) -> None:
    """An interrupt is for code that runs, and never for us."""
    while frame is not None:
        if frame.f_code is Runner._outcome.__code__:
            raise KeyboardInterrupt
        frame = frame.f_back


def end_where_interrupted(trace: TracebackType | None) -> None:
    """A traceback ends in the code, and not in what raised the interrupt there."""
    while trace is not None:
        if trace.tb_next is not None and trace.tb_next.tb_frame.f_code is on_interrupt.__code__:
            trace.tb_next = None
        trace = trace.tb_next


def heed_interrupts() -> None:
    """Also after code that has made other arrangements, which may come into play while this is done."""
    while True:
        try:
            signal.signal(signal.SIGINT, on_interrupt)
        except KeyboardInterrupt:
            continue
        return


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: S112  # whatever the program put there
            continue


def main() -> None:
    """Serve until the server goes away."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    # What IPython sets up for figures, when matplotlib is imported and not before.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    runner = Runner(make_shell())
    warnings.filterwarnings("ignore", "To exit: use", UserWarning)
    WIRE.send({"op": "ready"})
    for command in WIRE.commands():
        runner.run(command)


heed_interrupts()
os.unlink("main.py")
main()
