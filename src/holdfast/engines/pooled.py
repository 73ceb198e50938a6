"""An engine around an engine: keeps single-use sandboxes in stock, so that making them is off the path of a request.

A sandbox is taken from the shelf once and never put back. The stock of a shelf follows its arrival rate, all shelves
together are bounded in number and memory, and a shelf nobody asks for empties. What is not in stock is made on demand.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from holdfast.engines import Engine, Sandbox, SandboxSpec
from holdfast.errors import HoldfastError
from holdfast.types import Capabilities

IDLE_SECONDS = 60.0
"""A shelf nobody asked for in this time shrinks to its standing stock."""

LOOK_SECONDS = 2.0
"""How often to look whether the engine can make more than before, such as when a launcher has come up."""

RETRY_SECONDS = 1.0
"""After so long a shelf whose sandboxes cannot be made is tried again; the others do not wait for it."""

RATE_MEMORY_SECONDS = 2.0
CALM_SECONDS = 0.03
"""A shelf that is a quarter full is refilled when nobody has asked for so long: making cells slows runs down."""

ALONE_SECONDS = 0.1
"""So is one that keeps a single cell, but later: who has just taken that is slowed down, and nobody else has asked."""

BURST_PAUSE_SECONDS, BURST_MOST = 0.25, 10
"""Requests closer together than this are one burst; a shelf keeps enough for its longest one lately, up to so many."""

BURST_MEMORY_SECONDS = 5.0
"""After so long without a request a burst is forgotten."""

COVER_SECONDS = 0.1
"""How long a shelf should last at the current rate without being refilled."""


@dataclass(slots=True)
class Shelf:
    """The stock of one kind of sandbox. `standing` is kept even when nobody asks."""

    spec: SandboxSpec
    standing: int = 0
    stock: deque[Sandbox] = field(default_factory=deque)
    rate: float = 0.0
    last_arrival: float = 0.0
    burst: int = 0
    longest_burst: int = 0
    failed: float = -math.inf

    def arrival(self, now: float) -> None:
        """Take note of a request: an exponentially fading rate per second, and how many came in a row."""
        self.burst = self.burst + 1 if now - self.last_arrival < BURST_PAUSE_SECONDS else 1
        self.longest_burst = min(BURST_MOST, max(self.burst, self.longest_burst))
        self.rate = self.rate_at(now) + 1 / RATE_MEMORY_SECONDS
        self.last_arrival = now

    def calm_in(self, now: float, most: int) -> float:
        """How many seconds refilling can wait."""
        wanted = self.wanted(now, most)
        if wanted > 1 and 4 * len(self.stock) < wanted:
            return 0.0
        return max(0.0, self.last_arrival + (CALM_SECONDS if wanted > 1 else ALONE_SECONDS) - now)

    def rate_at(self, now: float) -> float:
        return self.rate * math.exp((self.last_arrival - now) / RATE_MEMORY_SECONDS)

    def wanted(self, now: float, most: int) -> int:
        """How many should be in stock."""
        if now - self.last_arrival > IDLE_SECONDS:
            return self.standing
        if now - self.last_arrival > BURST_MEMORY_SECONDS:
            self.longest_burst = 0
        return min(most, max(self.standing, self.longest_burst, 1, math.ceil(self.rate_at(now) * COVER_SECONDS)))


def _ignore(found: bool) -> None:
    del found


@dataclass(frozen=True)
class Stocking:
    """How much to keep: `standing` always, at most `most` sandboxes that are charged at most `most_bytes` together.

    `on_request` hears whether a request found a sandbox in stock.
    """

    standing: Mapping[SandboxSpec, int]
    most: int
    most_bytes: int
    on_request: Callable[[bool], None] = _ignore


class PooledEngine:
    """An `Engine` with stock. Make one with `PooledEngine.open`."""

    def __init__(self, engine: Engine, stocking: "Stocking") -> None:
        self._engine = engine
        self._stocking = stocking
        self._shelves: dict[SandboxSpec, Shelf] = {}
        self._changed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, engine: Engine, stocking: "Stocking") -> AsyncIterator["PooledEngine"]:
        """Keep sandboxes of `engine` in stock until the block ends; the engine itself stays open."""
        pooled = cls(engine, stocking)
        refilling = asyncio.create_task(pooled._refill())
        try:
            yield pooled
        finally:
            refilling.cancel()
            await asyncio.gather(refilling, return_exceptions=True)
            await pooled._empty()

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    @property
    def in_stock(self) -> int:
        """How many sandboxes wait."""
        return sum(len(shelf.stock) for shelf in self._shelves.values())

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        return self._engine.stock_spec(spec)

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """One from the shelf, held to the limits of `spec`, or a new one. Raises UnsupportedError, EngineError."""
        if spec.once:
            return await self._engine.create(spec)
        shelf = self._shelf(self._engine.stock_spec(spec))
        shelf.arrival(_now())
        self._changed.set()
        while shelf.stock:
            sandbox = shelf.stock.popleft()
            if not sandbox.lost:
                self._stocking.on_request(True)
                sandbox.adjust(spec)
                return sandbox
            await sandbox.aclose()
        self._stocking.on_request(False)
        return await self._engine.create(spec)

    async def forget(self, name: str) -> None:
        for spec in [spec for spec in self._shelves if name in (spec.layer, spec.data)]:
            await self._clear(self._shelves.pop(spec))
        await self._engine.forget(name)

    async def aclose(self) -> None:
        await self._empty()
        await self._engine.aclose()

    def _shelf(self, spec: SandboxSpec) -> Shelf:
        shelf = self._shelves.get(spec)
        if shelf is None:
            shelf = self._shelves[spec] = Shelf(spec, last_arrival=_now())
        return shelf

    async def _refill(self) -> None:
        """Bring the shelves to what is wanted, one sandbox at a time, whenever something changed."""
        while True:
            self._changed.clear()
            self._set_standing()
            await self._discard()
            shelf = self._neediest()
            if shelf is None:
                await _wait(self._changed, LOOK_SECONDS)
            elif pause := shelf.calm_in(_now(), self._stocking.most):
                await _wait(self._changed, pause)
            elif not await self._add(shelf):
                shelf.failed = _now()

    def _set_standing(self) -> None:
        """Which shelf a spec stands for can change, as when its launcher has only now come up."""
        wanted: Counter[SandboxSpec] = Counter()
        for spec, count in self._stocking.standing.items():
            wanted[self._engine.stock_spec(spec)] += count
        for spec in wanted:
            self._shelf(spec)
        for spec, shelf in self._shelves.items():
            shelf.standing = wanted[spec]

    def _neediest(self) -> Shelf | None:
        """The shelf with the smallest part of what it should have, if there is room for one more sandbox."""
        if self.in_stock >= self._stocking.most or self._charged() >= self._stocking.most_bytes:
            return None
        now = _now()
        lacking = [
            (len(shelf.stock) / wanted, index, shelf)
            for index, shelf in enumerate(self._shelves.values())
            if len(shelf.stock) < (wanted := shelf.wanted(now, self._stocking.most))
            and now > shelf.failed + RETRY_SECONDS
        ]
        return min(lacking)[2] if lacking else None

    def _charged(self) -> int:
        return sum(sandbox.charged_bytes for shelf in self._shelves.values() for sandbox in shelf.stock)

    async def _add(self, shelf: Shelf) -> bool:
        try:
            sandbox = await self._engine.create(shelf.spec)
        except HoldfastError:
            return False
        if self._shelves.get(shelf.spec) is shelf:
            shelf.stock.append(sandbox)
        else:
            await sandbox.aclose()
        return True

    async def _discard(self) -> None:
        """Close what is lost, or more than wanted, or of a kind that is no longer made."""
        now = _now()
        for spec, shelf in list(self._shelves.items()):
            keep = 0 if self._engine.stock_spec(spec) != spec else shelf.wanted(now, self._stocking.most)
            surplus = [sandbox for sandbox in shelf.stock if sandbox.lost]
            surplus += [shelf.stock[-1 - index] for index in range(max(0, len(shelf.stock) - keep))]
            for sandbox in dict.fromkeys(surplus):
                shelf.stock.remove(sandbox)
                await sandbox.aclose()
            if not shelf.stock and not keep:
                del self._shelves[spec]

    async def _empty(self) -> None:
        for shelf in self._shelves.values():
            await self._clear(shelf)

    @staticmethod
    async def _clear(shelf: Shelf) -> None:
        while shelf.stock:
            await shelf.stock.pop().aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    # Not asyncio.wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
