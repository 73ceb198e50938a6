"""Which launcher makes which cells: one for each profile and, while a layer is in use, launchers with that layer.

A launcher sees one tree for its whole life, and what it has made sees no other. So a layer is shown to the programs of
its prebuilt environment and to nobody else.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from holdfast import locks
from holdfast.engines import NEW_LAYER
from holdfast.engines.local.launcher import Launcher, LauncherFailed, LauncherKeeper
from holdfast.errors import EngineError, HostError, NotFoundError

PLAIN = ""
"""The profile of the launcher that has loaded nothing, which every engine has."""

DATASETS = "="
"""The layer of launchers whose cells each show one dataset."""

IDLE_SECONDS = 300.0
"""How long a launcher with a layer is kept after its last cell."""

TEND_SECONDS = 10.0
_LEAVING_SECONDS = 0.05

Describe = Callable[[tuple[str, ...], str], Mapping[str, Any]]
"""What a launcher with these modules and this layer is made of."""


class Layered:
    """The launchers of one layer. `hold` locks the layer's directory against removal, by this process or another."""

    def __init__(self, hold: int | None) -> None:
        self.keepers: dict[str, LauncherKeeper] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.starting = asyncio.Lock()
        self.last_used = _now()
        self._hold = hold

    def keep(self, profile: str, keeper: LauncherKeeper) -> None:
        """Have the launcher replaced when it dies or is worn."""
        self.keepers[profile] = keeper
        self.tasks.append(asyncio.create_task(keeper.keep()))

    @property
    def in_use(self) -> bool:
        return any(keeper.has_cells for keeper in self.keepers.values())

    async def aclose(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for keeper in self.keepers.values():
            await keeper.aclose()
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None


class Launchers:
    """All launchers of an engine. `profiles` are the modules loaded in advance, by name.

    Those `on_demand` are started when they are first asked for, and until then the plain one does.
    """

    def __init__(
        self,
        describe: Describe,
        profiles: Mapping[str, tuple[str, ...]],
        layers: Path,
        on_restart: Callable[[], None],
        on_demand: Collection[str] = (),
    ) -> None:
        self._describe = describe
        self._profiles = {PLAIN: (), **profiles}
        self._layers = layers
        self._on_restart = on_restart
        self.keepers = {name: self._keeper(name, "") for name in self._profiles}
        self._layered: dict[str, Layered] = {}
        self._leaving: list[Layered] = []
        self._gone: set[str] = set()
        self._asleep = self.keepers.keys() & set(on_demand)
        self._tasks: list[asyncio.Task[None]] = []

    def _keeper(self, profile: str, layer: str) -> LauncherKeeper:
        return LauncherKeeper(partial(self._describe, self._profiles[profile], layer), self._on_restart)

    async def start(self) -> Launcher:
        """Start the plain launcher. Raises LauncherFailed, HostError."""
        await self.keepers[PLAIN].start()
        return await self.keepers[PLAIN].up()

    def keep(self) -> None:
        """From here on replace launchers that die, and end those with a layer that nobody uses."""
        self._tasks += [
            asyncio.create_task(keeper.keep()) for name, keeper in self.keepers.items() if name not in self._asleep
        ]
        self._tasks.append(asyncio.create_task(self._tend()))

    def is_up(self, profile: str, layer: str = "") -> bool:
        """Whether a launcher of this kind can make cells now."""
        keepers = self.keepers if not layer else self._layered[layer].keepers if layer in self._layered else {}
        return profile in keepers and keepers[profile].current is not None

    def knows(self, layer: str) -> bool:
        """Whether cells with a layer can be made: all but those with a layer that was forgotten."""
        return layer not in self._gone

    async def of(self, profile: str, layer: str) -> Launcher:
        """A launcher for a cell. Raises NotFoundError for a layer that is gone, EngineError."""
        if profile in self._asleep:
            self._asleep.discard(profile)
            self._tasks.append(asyncio.create_task(self.keepers[profile].keep()))
        keepers = self.keepers if not layer else await self._of_layer(profile, layer)
        try:
            known = profile in keepers and keepers[profile].current is not None
            return await keepers[profile if known else PLAIN].up()
        except TimeoutError:
            raise EngineError("The launcher is down and could not be restarted; see the server's log.") from None

    async def _of_layer(self, profile: str, layer: str) -> Mapping[str, LauncherKeeper]:
        if not self.knows(layer):
            raise NotFoundError("That prebuilt environment is gone.", field="image")
        layered = self._layered.get(layer)
        if layered is None:
            layered = self._layered[layer] = Layered(self._hold(layer))
        layered.last_used = _now()
        async with layered.starting:
            self._still(layer, layered)
            if PLAIN not in layered.keepers:
                await self._start_plain(layer, layered)
        if profile in self._profiles and profile not in layered.keepers and layer != NEW_LAYER:
            # Until it is up the plain one does.
            layered.keep(profile, self._keeper(profile, layer))
        return layered.keepers

    async def _start_plain(self, layer: str, layered: Layered) -> None:
        keeper = self._keeper(PLAIN, layer)
        try:
            await keeper.start()
        except (LauncherFailed, HostError, OSError) as error:
            if self._layered.get(layer) is layered:
                del self._layered[layer]
            await layered.aclose()
            raise EngineError(f"The launcher of a prebuilt environment did not start: {error}.") from error
        try:
            self._still(layer, layered)
        except EngineError:
            await keeper.aclose()
            raise
        layered.keep(PLAIN, keeper)

    def _still(self, layer: str, layered: Layered) -> None:
        """Raises EngineError when it was given up while somebody waited for it."""
        if self._layered.get(layer) is not layered:
            raise EngineError("The launcher of a prebuilt environment has ended; try again.")

    def _hold(self, layer: str) -> int | None:
        if layer in (NEW_LAYER, DATASETS):
            return None
        held = locks.hold(self._layers / layer)
        if held is None:
            raise NotFoundError("That prebuilt environment is gone.", field="image")
        return held

    async def forget(self, layer: str) -> None:
        """Make no more cells with a layer, and return when the last one is gone and nothing holds the layer."""
        self._gone.add(layer)
        while layer in self._layered and self._layered[layer].in_use:  # noqa: ASYNC110  # cells announce it to others
            await asyncio.sleep(_LEAVING_SECONDS)
        layered = self._layered.pop(layer, None)
        if layered is not None:
            await layered.aclose()
        # It is never made again, and without a record nobody asks for it.
        self._gone.discard(layer)

    def renew(self) -> None:
        """Let the next cell with a dataset come from a launcher that has never looked at those there were."""
        if DATASETS in self._layered:
            self._leaving.append(self._layered.pop(DATASETS))

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            for leaving in [leaving for leaving in self._leaving if not leaving.in_use]:
                self._leaving.remove(leaving)
                await leaving.aclose()
            for layer, layered in list(self._layered.items()):
                if layered.in_use:
                    layered.last_used = _now()
                elif _now() - layered.last_used > IDLE_SECONDS and not layered.starting.locked():
                    del self._layered[layer]
                    await layered.aclose()

    async def stop_keeping(self) -> None:
        """Replace launchers no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """End them all, and with them all cells."""
        await self.stop_keeping()
        for layered in [*self._layered.values(), *self._leaving]:
            await layered.aclose()
        self._layered.clear()
        for keeper in self.keepers.values():
            await keeper.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()
