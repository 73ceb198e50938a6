"""`holdfast gc`."""

import json

from anyio.to_thread import run_sync

from holdfast.app import dataset_age, dataset_store, no_server, store_of
from holdfast.app.tasks import prune_tasks
from holdfast.settings import Settings
from holdfast.telemetry import Metrics


async def collect(settings: Settings, *, as_json: bool) -> None:
    """Remove what is kept long enough, and say how much that was. Raises ConfigurationError, StorageFullError."""
    async with store_of(settings, Metrics()).open(tidy=False) as store:
        removed = await store.prune()
        kept = await store.count()
        tasks = await prune_tasks(settings, store)
    datasets = await run_sync(_expired_datasets, settings)
    if as_json:
        print(json.dumps({"removed": removed, "kept": kept, "tasks_removed": tasks, "datasets_removed": datasets}))
        return
    print(
        f"Removed {removed} rows of runs; {kept} kept. Removed {tasks} tasks with their events and files, and "
        f"{len(datasets)} datasets that nobody has used lately."
    )


def _expired_datasets(settings: Settings) -> list[str]:
    """The ids that are gone. A server that runs removes their files, and without one that is done here."""
    max_age, store = dataset_age(settings), dataset_store(settings)
    if max_age is None:
        return []
    gone = store.expire(max_age)
    if no_server(settings):
        with store.alone():
            store.sweep([record.dataset.digest for record in gone])
    return [record.dataset.id for record in gone]
