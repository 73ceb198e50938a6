"""The launcher: a started interpreter inside the read-only tree that makes cells by cloning itself.

It has never run guest code, holds no secrets, and stays single-threaded, so that a clone of it is a clean start. It
does what needs rights outside the cell (control groups, id maps) and leaves everything else to the cell's pid 1.

Server -> launcher: `create {id, slot, cgroup…}` with the cell's control socket, `kill {id}`.
Launcher -> server: `ready`, `failed {id, error}`, `gone {id, oom_kills}` once nothing of a cell is left.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import _socket
import gc
import marshal
import os
import select

from holdfast.guest import building, groups, guest, init, native, preload, processes, rehearsal, syscalls
from holdfast.guest.frames import Channel, json_text, receive_with_fds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CONFIG_VARIABLE = "HOLDFAST_LAUNCHER_CONFIG_FD"
MAX_MESSAGE_BYTES = 1 << 16


class Cell:
    """What the launcher remembers of a living cell."""

    def __init__(self, cell_id: int) -> None:
        self.id = cell_id
        self.pid: int | None = None
        self.name = groups.name_of_cell(cell_id)


def serve(started_with: set[str]) -> None:
    """Serve until the server goes away. Returns only in a guest that is to run main.py."""
    try:
        launcher = _prepare(started_with)
    except Exception as error:
        os.write(2, json_text({"step": "launcher", "error": f"{type(error).__name__}: {error}", "path": ""}) + b"\n")
        os._exit(1)
    launcher.serve()


def _prepare(started_with: set[str]) -> Launcher:
    del os.environ["PYTHONPATH"]
    with os.fdopen(int(os.environ.pop(CONFIG_VARIABLE)), "rb") as file:
        config = marshal.load(file)  # noqa: S302  # from the server
    config["seccomp"] = bytes.fromhex(config["seccomp"])
    # For programs only: this interpreter must never find anything that a build has made.
    os.environ.update(config["environment"])
    stash = preload.load(config["modules"], started_with)
    _assert_single_threaded()
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    guest.forbid_core_dumps()
    rehearsal.rehearse(config, stash)
    launcher = Launcher(config, stash)
    guest.look_fresh(stash, started_with)
    gc.collect()
    gc.freeze()
    syscalls.forget_library_pages()
    return launcher


def _assert_single_threaded() -> None:
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the launcher has {threads} threads; a preloaded module started some")


class Launcher:
    """Makes cells on request and tidies up after them."""

    def __init__(self, config: dict[str, Any], stash: preload.Stash) -> None:
        self._config = config
        self._stash = stash
        # What is ours gets the lowest numbers, so that all above them belong to the cell that is being made.
        self._server = _socket.socket(fileno=os.dup(config["socket"]))
        self._server.setblocking(True)
        self._hierarchies = [os.dup(fd) for fd in config["cgroup"]["hierarchies"]]
        self._wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._native = None
        if config["native"] is not None:
            self._native = native.Native(config["native"], config, self._server.fileno(), self._hierarchies)
        self._first_of_cell = wake_write + 1
        syscalls.close_fds_from(self._first_of_cell)
        self._cells: dict[int, Cell] = {}
        self._unremoved: list[str] = []
        _signal.pthread_sigmask(_signal.SIG_BLOCK, guest.BLOCKED_BY_OURS)
        _signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Answer the server. Returns only in a guest."""
        poll = select.poll()
        poll.register(self._server, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        syscalls.set_process_name("holdfast-launch")
        self._send({"op": "ready"})
        while True:
            for fd, _ in poll.poll(500 if self._unremoved else None):
                if fd == self._server.fileno():
                    if self._handle_message():
                        return
                else:
                    processes.drain(self._wake)
            self._bury_the_dead()

    def _handle_message(self) -> bool:
        """Do what the server asks; True in the guest that results."""
        data, fds = receive_with_fds(self._server, MAX_MESSAGE_BYTES)
        if not data:
            os._exit(0)
        message = marshal.loads(data)  # noqa: S302  # from the server
        if message["op"] == "kill":
            self._kill(message["id"])
            return False
        return self._create(message, fds)

    def _create(self, message: dict[str, Any], ends: list[int]) -> bool:
        """Make a cell; True in a guest."""
        cell = Cell(message["id"])
        files = groups.GroupFiles()
        go = os.pipe2(os.O_CLOEXEC)
        live = None
        try:
            self._make_cgroups(cell, message["cgroup"], files)
            live = self._clone(cell, message, ends, go, files)
            if live is None and cell.pid:
                self._cells[cell.pid] = cell
                self._write_id_maps(cell.pid, message["slot"])
                os.write(go[1], b"g")
        except (OSError, ValueError) as error:
            self._fail(cell, error)
        if live is not None:
            live()
            return True
        syscalls.close_fds_from(self._first_of_cell)
        return False

    def _clone(
        self, cell: Cell, message: dict[str, Any], ends: list[int], go: tuple[int, int], files: groups.GroupFiles
    ) -> Callable[[], None] | None:
        """Start the first process of a cell: None here, and in the new process what it is to do. Raises OSError."""
        birthplace = self._birthplace(cell)
        if self._native is None or not native.suits(message):
            cell.pid = syscalls.clone(self._config["clone_flags"], birthplace)
            return None if cell.pid else lambda: self._be_init(cell, message, ends, go, files)
        fds = (*go, ends[0], -1 if birthplace is None else birthplace)
        state = self._native.state(message, cell.name, files, fds, ends[1:])
        made = self._native.clone(state)
        cell.pid = max(0, made)
        return None if made > 0 else lambda: self._go_on(made, message, files, state)

    def _be_init(
        self, cell: Cell, message: dict[str, Any], ends: list[int], go: tuple[int, int], files: groups.GroupFiles
    ) -> None:
        os.close(go[1])
        # Here and now, not when the object goes: the number may be one of the program's own by then.
        self._server.close()
        self._join(cell)
        init.enter_cell(self._config | message, ends, go[0], files, self._stash)

    def _go_on(self, code: int, message: dict[str, Any], files: groups.GroupFiles, state: native.State) -> None:
        """Be what cell.c has made of this process."""
        self._server.detach()
        if code == native.GUEST:
            channel = Channel(_socket.socket(fileno=state.channel))
            guest.go_on(self._config | message, channel, self._stash, tuple(state.streams) if message["warm"] else ())
        else:
            init.go_on(self._config | message, files, self._stash, code, state)

    def _fail(self, cell: Cell, error: Exception) -> None:
        self._send({"op": "failed", "id": cell.id, "error": str(error)})
        if cell.pid:
            os.kill(cell.pid, _signal.SIGKILL)
        else:
            self._remove_cgroups(cell)
            self._send({"op": "gone", "id": cell.id, "oom_kills": 0})

    def _make_cgroups(self, cell: Cell, wanted: dict[str, Any], files: groups.GroupFiles) -> None:
        for hierarchy in self._hierarchies:
            os.mkdir(cell.name, 0o755, dir_fd=hierarchy)
        for hierarchy, name, value in wanted["writes"]:
            files.knobs[name] = knob = self._open(cell, hierarchy, name, os.O_WRONLY)
            groups.turn(knob, name, value)
        for key, (hierarchy, name) in wanted["usage"].items():
            files.usage[key] = self._open(cell, hierarchy, name, os.O_RDONLY)

    def _open(self, cell: Cell, hierarchy: int, name: str, flags: int) -> int:
        return os.open(f"{cell.name}/{name}", flags | os.O_CLOEXEC, dir_fd=self._hierarchies[hierarchy])

    def _birthplace(self, cell: Cell) -> int | None:
        """On v2 a cell is born in its group."""
        if self._config["cgroup"]["version"] != "v2":
            return None
        return self._open(cell, 0, ".", os.O_RDONLY | os.O_DIRECTORY)

    def _join(self, cell: Cell) -> None:
        """On v1 a cell moves into its groups. `0` in `tasks` is the one way without an RCU grace period, some 10 ms."""
        if self._config["cgroup"]["version"] != "v1":
            return
        for hierarchy in range(len(self._hierarchies)):
            fd = self._open(cell, hierarchy, "tasks", os.O_WRONLY)
            os.write(fd, b"0")
            os.close(fd)

    def _write_id_maps(self, pid: int, slot: int) -> None:
        base: int | None = self._config["uid_base"]
        if base is None:
            _write(f"/proc/{pid}/setgroups", "deny")
            lines = f"{building.GUEST_UID} 0 1"
        else:
            lines = f"0 {base + 2 * slot} 1\n{building.GUEST_UID} {base + 2 * slot + 1} 1"
        _write(f"/proc/{pid}/uid_map", lines)
        _write(f"/proc/{pid}/gid_map", lines)

    def _kill(self, cell_id: int) -> None:
        for pid, cell in self._cells.items():
            if cell.id == cell_id:
                os.kill(pid, _signal.SIGKILL)

    def _bury_the_dead(self) -> None:
        while self._cells:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            cell = self._cells.pop(pid, None)
            if cell is not None:
                # A pid 1 that ended by itself has told everything.
                oom_kills = self._oom_kills(cell) if status else 0
                self._send({"op": "gone", "id": cell.id, "oom_kills": oom_kills})
                self._remove_cgroups(cell)
        if self._unremoved:
            self._unremoved = [name for name in self._unremoved if not self._remove_directories(name)]

    def _oom_kills(self, cell: Cell) -> int:
        """How often the kernel killed for memory, for a cell whose pid 1 could not report it."""
        wanted = self._config["cgroup"]["oom"]
        if wanted is None:
            return 0
        hierarchy, name = wanted
        fd = self._open(cell, hierarchy, name, os.O_RDONLY)
        try:
            return int(groups.read_counter(fd, "oom_kill") or 0)
        finally:
            os.close(fd)

    def _remove_cgroups(self, cell: Cell) -> None:
        if not self._remove_directories(cell.name):
            self._unremoved.append(cell.name)

    def _remove_directories(self, name: str) -> bool:
        """Whether all are gone; the kernel may need a moment to let go of the last one's tasks."""
        gone = True
        for hierarchy in self._hierarchies:
            try:
                os.rmdir(name, dir_fd=hierarchy)
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._server.sendall(json_text(message))
        except OSError:
            os._exit(0)


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        groups.turn(fd, path, value)
    finally:
        os.close(fd)
