"""Host ids for cells: two for each, which no cell of any other engine on this host has at the same time.

What the kernel counts per user (processes, keys, watches), and who may signal whom, would else be shared between the
cells of a server and those of a `holdfast run` beside it. An engine therefore claims a block of ids: it binds a socket
whose name is the block's. The kernel gives a name to one process only, and takes it back when that process ends,
however it ends; no file remains.
"""

import os
import socket
import zlib
from dataclasses import dataclass
from pathlib import Path

from holdfast.engines.local import probe
from holdfast.errors import HostError
from holdfast.guest.tree import own_id_range

MAX_CELLS = 1024
IDS_PER_BLOCK = 2 * MAX_CELLS
_FIRST_UID_AS_ROOT = 1_879_048_192
_BLOCKS_AS_ROOT = 30_000
"""Ids above systemd's container range."""


@dataclass(frozen=True, slots=True)
class HostIds:
    """The ids of one engine, for as long as it holds `claim`.

    `base` is the first id of the cells as the launcher sees it, `None` when an ordinary user has no ids but its own;
    `gateway` is the id of the gateway as root; `subordinate` are first and count of uids and of gids, for an ordinary
    user.
    """

    base: int | None
    gateway: int | None = None
    subordinate: tuple[int, int, int, int] | None = None
    claim: socket.socket | None = None

    @classmethod
    def claimed(cls, state_dir: Path) -> "HostIds":
        """A block that nobody else has. Raises HostError when all are taken."""
        wanted = zlib.crc32(str(state_dir).encode())
        if os.geteuid() == 0:
            block, claim = _claim(_BLOCKS_AS_ROOT, wanted)
            gateway = _FIRST_UID_AS_ROOT + _BLOCKS_AS_ROOT * IDS_PER_BLOCK + block
            return cls(_FIRST_UID_AS_ROOT + block * IDS_PER_BLOCK, gateway, claim=claim)
        found = _own_ranges()
        if found is None:
            return cls(None)
        uid, uids, gid, gids = found
        count = min(uids, gids, IDS_PER_BLOCK)
        block, claim = _claim(min(uids, gids) // count, wanted)
        return cls(1, subordinate=(uid + block * count, count, gid + block * count, count), claim=claim)

    def close(self) -> None:
        """Let others have them. No cell may be left."""
        if self.claim is not None:
            self.claim.close()


def _claim(blocks: int, wanted: int) -> tuple[int, socket.socket]:
    """The first free block from the wanted one on."""
    for step in range(blocks):
        block = (wanted + step) % blocks
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0holdfast-ids-{os.geteuid()}-{block}")
        except OSError:
            claim.close()
            continue
        return block, claim
    raise HostError(
        f"All {blocks} blocks of ids for sandboxes are taken by other processes of Holdfast. End one of them, or give "
        f"this user {IDS_PER_BLOCK:,} more subordinate ids for each in /etc/subuid and /etc/subgid."
    )


def _own_ranges() -> tuple[int, int, int, int] | None:
    uids, gids = own_id_range("/etc/subuid", os.getuid()), own_id_range("/etc/subgid", os.getuid())
    if uids is None or gids is None or not uids[1] or not gids[1] or not probe.has_newuidmap():
        return None
    return (*uids, *gids)
