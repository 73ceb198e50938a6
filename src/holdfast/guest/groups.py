"""The control group files of a cell, as its pid 1 holds them: open before it entered, never seen by a guest."""

from __future__ import annotations

import os

MEMORY_LIMITS = ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes", "memory.max")
MEMORY_OF_OURS = 32 << 20
"""How much more than the program pid 1 may use to tell how it ended."""


def name_of_cell(number: int) -> str:
    """What its groups are called."""
    return f"cell-{number}"


class GroupFiles:
    """Open files of the cell's control groups, by name: what it used, and its limits."""

    def __init__(self) -> None:
        self.usage: dict[str, int] = {}
        self.knobs: dict[str, int] = {}

    def descriptors(self) -> tuple[int, ...]:
        return (*self.usage.values(), *self.knobs.values())


def turn(knob: int, name: str, value: str) -> None:
    """Write a limit. Raises OSError that says which."""
    try:
        os.write(knob, value.encode())
    except OSError as error:
        raise OSError(error.errno, f"writing '{value}' to {name}: {error.strerror}") from error


def read_counter(fd: int, field: str | None) -> int | None:
    """A number of a control group file: the whole file, or the line that starts with `field`."""
    text = os.pread(fd, 4096, 0).decode()
    if field is None:
        return int(text)
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == field:
            return int(value)
    return None


class MoreMemory:
    """While entered, pid 1 may use more than the program could, whose files may fill the cell to the brim."""

    def __init__(self, knobs: dict[str, int], limits: dict[str, str], peak: int | None) -> None:
        # The limit with swap bounds the one without, so it goes up first and comes down last.
        names = [name for name in MEMORY_LIMITS if name in knobs and _is_near(peak, int(limits[name]))]
        self._up = [(knobs[name], str(int(limits[name]) + MEMORY_OF_OURS)) for name in names]
        self._down = [(knobs[name], limits[name]) for name in reversed(names)]

    def __enter__(self) -> None:
        self._turn(self._up)

    def __exit__(self, *_: object) -> None:
        self._turn(self._down)

    @staticmethod
    def _turn(rows: list[tuple[int, str]]) -> None:
        for knob, value in rows:
            try:
                os.write(knob, value.encode())
            except OSError:
                continue


def _is_near(peak: int | None, limit: int) -> bool:
    return peak is None or peak + MEMORY_OF_OURS > limit
