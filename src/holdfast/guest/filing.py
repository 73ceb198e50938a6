"""What the server asks about the files of a workspace, before, while and after a program runs there."""

from __future__ import annotations

import errno
import os

from holdfast.guest import collect
from holdfast.guest.syscalls import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from holdfast.guest.frames import Channel, Frame


def answer(root: int, frame: Frame, channel: Channel) -> None:
    """Do what is asked and say so, or say why not."""
    try:
        _DEEDS[frame.header["op"]](root, frame, channel)
    except (OSError, MemoryError) as error:
        error = error if isinstance(error, OSError) else OSError(errno.ENOMEM, "no memory left in the sandbox")
        name = errno.errorcode.get(error.errno or 0, "EIO")
        channel.send({"op": "refused", "errno": name, "error": error.strerror or str(error)})


def _write(root: int, frame: Frame, channel: Channel) -> None:
    collect.write_file(root, frame.header["path"], frame.payload)
    channel.send({"op": "done"})


def _read(root: int, frame: Frame, channel: Channel) -> None:
    fd, size = collect.open_file(root, frame.header["path"], frame.header["max_bytes"])
    try:
        channel.send_pieces({"op": "done"}, size, collect.exactly(fd, size))
    finally:
        os.close(fd)


def _list(root: int, frame: Frame, channel: Channel) -> None:
    del frame
    files, notes = collect.listing(root)
    channel.send({"op": "done", "files": files, "notes": notes})


def _remove(root: int, frame: Frame, channel: Channel) -> None:
    parent, _, name = frame.header["path"].rpartition("/")
    directory = open_beneath(root, parent or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)
    channel.send({"op": "done"})


_DEEDS = {"write": _write, "read": _read, "list": _list, "remove": _remove}
