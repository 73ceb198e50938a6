"""Who waits for something is woken by a bell; what has happened they read from the store."""

from weakref import WeakValueDictionary

import anyio


class Bells:
    """Bells by name. Take one, look whether there is something already, and only then wait for it."""

    def __init__(self) -> None:
        # A bell that nobody holds any more is forgotten.
        self._bells: WeakValueDictionary[str, anyio.Event] = WeakValueDictionary()

    def hear(self, name: str) -> anyio.Event:
        """What is set the next time this bell is rung."""
        bell = self._bells.get(name)
        if bell is None:
            bell = self._bells[name] = anyio.Event()
        return bell

    def ring(self, name: str) -> None:
        """Wake all who wait for it."""
        bell = self._bells.pop(name, None)
        if bell is not None:
            bell.set()


async def patiently(bell: anyio.Event, seconds: float) -> bool:
    """Wait for a bell, but not longer than this; whether it was rung."""
    with anyio.move_on_after(seconds):
        await bell.wait()
    return bell.is_set()
