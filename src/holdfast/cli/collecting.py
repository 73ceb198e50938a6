"""`holdfast gc`."""

import json

from holdfast.app import store_of
from holdfast.settings import Settings
from holdfast.telemetry import Metrics


async def collect(settings: Settings, *, as_json: bool) -> None:
    """Remove what is kept long enough, and say how much that was. Raises ConfigurationError, StorageFullError."""
    async with store_of(settings, Metrics()).open(tidy=False) as store:
        removed = await store.prune()
        kept = await store.count()
    print(
        json.dumps({"removed": removed, "kept": kept}) if as_json else f"Removed {removed} rows of runs; {kept} kept."
    )
