"""Runs a submission as main.py, and says afterwards what its variables hold or what its functions answer.

The host sends it with the submission, in a main.py that gives its place to the submission. The whole interpreter is
the submission's, and so is all that is said here: the host believes it as values the program came to, never as a
verdict. What is expected is not known here; a forger could only guess it.

Descriptions are JSON: the name of an exact built-in type, then the value, text and bytes as hexadecimal digits, and
null for what was too large. Nothing of the submission is called to describe a value: no `__eq__`, no `__repr__`.
"""

import builtins
import marshal
import os
import sys
import time

# Our functions look built-ins up here, whatever the submission does to those of its interpreter.
globals()["__builtins__"] = dict(vars(builtins))

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from holdfast.guest.surroundings import Surroundings

MAX_NAMES = 5_000
MAX_DEPTH = 60
ENOUGH_FRAMES = 10_000
VALUE_NODES, VALUE_CHARACTERS = 2_000, 64_000
REPORT_NODES, REPORT_CHARACTERS = 40_000, 1_000_000
ANSWER_NODES, ANSWER_CHARACTERS = 120_000, 2_000_000
MAX_PRINTED = 1 << 18
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.0002, 0.01
SIGKILL = 9
OUR_FRAMES = ("main.py", "run", "_execute")
"""What a traceback begins with, from the interpreter down to the submission."""

_type_name = type.__dict__["__name__"].__get__
_find_loaded = sys.modules.get
_close, _dup2, _exit, _fork, _kill, _killpg = os.close, os.dup2, os._exit, os.fork, os.kill, os.killpg
_getpid, _open, _pread, _setpgid, _unlink, _waitpid, _write = (
    os.getpid,
    os.open,
    os.pread,
    os.setpgid,
    os.unlink,
    os.waitpid,
    os.write,
)
_monotonic, _sleep = time.monotonic, time.sleep
_set_trace, _set_profile, _set_recursion_limit = sys.settrace, sys.setprofile, sys.setrecursionlimit
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WNOHANG = os.WNOHANG
_load = marshal.loads
_PLAIN = {
    kind: _type_name(kind)
    for kind in (type(None), range, bytearray, type, type(lambda: 0), type(len), type(sys), type(_ for _ in ()))
}
"""Types whose name says enough."""


class _Describer:
    """Describes values until it has written as much as it may."""

    def __init__(self, nodes: int, characters: int) -> None:
        _set_recursion_limit(ENOUGH_FRAMES)
        self.nodes = nodes
        self.characters = characters

    def describe(self, value: "Any", depth: int = 0) -> str:
        self.nodes -= 1
        kind = type(value)
        if kind is list or kind is tuple or kind is set or kind is frozenset or kind is dict:
            return f'["{_type_name(kind)}",{len(value)},{self._parts(kind, value, depth)}]'
        if kind is bool or kind is float or kind is complex:
            return self._number(kind, value)
        if kind is str or kind is bytes or kind is int:
            return f'["{_type_name(kind)}",{self._digits(kind, value)}]'
        return self._opaque(kind)

    def _number(self, kind: "Any", value: "Any") -> str:
        if kind is bool:
            return f'["bool",{1 if value else 0}]'
        if kind is float:
            return f'["float","{float.hex(value)}"]'
        return f'["complex","{float.hex(value.real)}","{float.hex(value.imag)}"]'

    def _digits(self, kind: "Any", value: "Any") -> str:
        """Hexadecimal digits: short, the same in JSON, and for huge numbers quick to find."""
        size = int.bit_length(value) // 4 if kind is int else 2 * len(value)
        self.characters -= size
        if self.characters < 0:
            return "null"
        if kind is str:
            value = str.encode(value, "utf-8", "surrogatepass")
        return f'"{hex(value) if kind is int else value.hex()}"'

    def _parts(self, kind: "Any", value: "Any", depth: int) -> str:
        # Looked at before it is copied: a large value leaves no memory for a copy.
        if len(value) * (2 if kind is dict else 1) > self.nodes or depth >= MAX_DEPTH:
            return "null"
        # Copied in one step: a daemon thread may still be changing it.
        parts = [part for pair in list(value.items()) for part in pair] if kind is dict else list(value)
        return "[" + ",".join([self.describe(part, depth + 1) for part in parts]) + "]"

    def _opaque(self, kind: "Any") -> str:
        name = _PLAIN.get(kind) if type(kind) is type else None
        if name is not None:
            return f'["{name}"]'
        return f'["","{str.encode(_type_name(kind)[:100], "utf-8", "replace").hex()}"]'


def run(token: str, asked: bytes | None) -> None:
    """Run the submission that waits under the name of the token. `asked` are questions; without any, report all."""
    folder, path = os.getcwd(), sys.modules["__main__"].__file__ or ""
    os.unlink(token)
    os.rename(f"{token}.py", path)
    with open(path, "rb") as file:
        source = file.read()
    namespace, pid = _become_main(path), _getpid()
    _execute(source, path, namespace)
    _set_trace(None)
    _set_profile(None)
    if _getpid() != pid:
        return
    try:
        _tell(f"{folder}/{token}", namespace, asked)
    except Exception:
        # Where nothing can be written, or all is broken, the program still ends as it would without us.
        return


def _tell(place: str, namespace: "dict[str, Any]", asked: bytes | None) -> None:
    if asked is None:
        _end_threads()
        for name in ("__file__", "__cached__"):
            dict.pop(namespace, name, None)
        _save(f"{place}.report", _report(namespace))
        return
    _await_threads()
    surroundings = Surroundings(place)
    for number, question in enumerate(_load(asked)):
        _ask(f"{place}.{number}", namespace, question, surroundings.enter)
        surroundings.put_back()


def _become_main(path: str) -> "dict[str, Any]":
    """The namespace of a new `__main__`, as `python main.py` makes it."""
    ours = sys.modules["__main__"]
    module = type(ours)("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    namespace.update(
        __loader__=ours.__loader__, __annotations__={}, __builtins__=builtins, __file__=path, __cached__=None
    )
    return namespace


def _execute(source: bytes, path: str, namespace: "dict[str, Any]") -> None:
    """Run it to its own end. Raises what it raises, unless that is an exit with the code of success."""
    try:
        exec(compile(source, path, "exec", dont_inherit=True), namespace)  # noqa: S102  # what a cell is for
    except SystemExit as error:
        code = error.code
        if not (code is None or (type(code) in (int, bool) and code == 0)):
            raise
    except BaseException:
        if hasattr(sys, "excepthook"):
            sys.excepthook = _without_our_frames(sys.excepthook)
        raise


def _without_our_frames(hook: "Callable[..., object]") -> "Callable[..., object]":
    """The hook that prints what ended a program, as if there were only the program's frames."""

    def stripped(kind: type[BaseException], error: BaseException, traceback: "TracebackType | None") -> None:
        for _ in OUR_FRAMES:
            traceback = traceback and traceback.tb_next
        sys.excepthook = hook
        sys.last_traceback = traceback
        hook(kind, error.with_traceback(traceback), traceback)

    return stripped


def _end_threads() -> None:
    """Wait for the threads as the interpreter does at its end: no more can be started."""
    threading = _find_loaded("threading")
    if threading is not None:
        threading._shutdown()


def _await_threads() -> None:
    """Wait for the threads that end by themselves, and leave it possible to start more."""
    threading, pools = _find_loaded("threading"), _find_loaded("concurrent.futures.thread")
    if threading is None:
        return
    waiting_for_work = list(pools._threads_queues) if pools is not None else []
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon and thread not in waiting_for_work:
            thread.join()


def _report(namespace: "dict[str, Any]") -> str:
    """Every variable: its name, type and length, and its value while there is room."""
    variables = [(name, value) for name, value in list(dict.items(namespace)) if type(name) is str][:MAX_NAMES]
    nodes, characters = REPORT_NODES, REPORT_CHARACTERS
    entries = []
    for name, value in variables:
        describer = _Describer(min(nodes, VALUE_NODES), min(characters, VALUE_CHARACTERS))
        text = describer.describe(value)
        nodes, characters = max(0, nodes - text.count("[")), max(0, characters - len(text))
        entries.append(f'["{str.encode(name[:500], "utf-8", "surrogatepass").hex()}",{text}]')
    return "[" + ",".join(entries) + "]"


def _ask(place: str, namespace: "dict[str, Any]", question: "tuple[Any, ...]", enter: "Callable[[], None]") -> None:
    """Answer one question in a process of its own, so that what happens there stays there."""
    pid = _fork()
    if pid == 0:
        try:
            _setpgid(0, 0)
            enter()
            _save(place, _answer(place, namespace, *question[:-1]))
        finally:
            _exit(0)
    deadline, pause = _monotonic() + question[-1], FIRST_PAUSE_SECONDS
    while not _ended(pid):
        if _monotonic() >= deadline:
            _save(f"{place}.late", "{}")
            break
        _sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    _end(pid)


def _ended(pid: int) -> bool:
    try:
        return _waitpid(pid, _WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _end(pid: int) -> None:
    """Make sure that nothing of the process is left, nor of its group."""
    for deed, argument in ((_killpg, SIGKILL), (_kill, SIGKILL), (_waitpid, 0)):
        try:
            deed(pid, argument)
        except OSError:
            continue


def _answer(place: str, namespace: "dict[str, Any]", name: str, arguments: "tuple[Any, dict[str, Any]] | None") -> str:
    """What a variable holds or, with arguments, what calling it returns and prints."""
    first, *attributes = name.split(".")
    if first not in namespace:
        return '{"missing":1}'
    value = namespace[first]
    if arguments is None:
        return f'{{"value":{_Describer(ANSWER_NODES, ANSWER_CHARACTERS).describe(value)}}}'
    _flush()
    printed = _open(f"{place}.out", _NEW_FILE, 0o600)
    _unlink(f"{place}.out")
    _dup2(printed, 1)
    try:
        for attribute in attributes:
            value = getattr(value, attribute)
        value = value(*arguments[0], **arguments[1])
        _flush()
    except BaseException as error:
        return f'{{"raised":"{_told(error).encode("utf-8", "replace").hex()}"}}'
    described = _Describer(ANSWER_NODES, ANSWER_CHARACTERS).describe(value)
    return f'{{"value":{described},"printed":"{_pread(printed, MAX_PRINTED, 0).hex()}"}}'


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _told(error: BaseException) -> str:
    """The exception as one line; its text is the submission's own code."""
    name = _type_name(type(error))
    try:
        text = str(error)
    except BaseException:
        text = ""
    return (f"{name}: {text}" if text else name)[:300]


def _save(place: str, text: str) -> None:
    fd = _open(place, _NEW_FILE, 0o600)
    data = text.encode()
    while data:
        data = data[_write(fd, data) :]
    _close(fd)
