"""What is kept of tasks that have ended: so many days, and so much of their events and of their files."""

from datetime import timedelta

from anyio.to_thread import run_sync

from holdfast.store import Store
from holdfast.tasks.claims import instant
from holdfast.tasks.events import now
from holdfast.tasks.files import TaskFiles


async def prune(store: Store, files: TaskFiles, most_bytes: int) -> int:
    """Remove tasks that are kept long enough, with their events, deliveries and files; how many.

    Of events and of files there may be `most_bytes` each; the oldest tasks go first. A task that has not ended stays.
    Raises StoreUnavailableError.
    """
    oldest = now() - timedelta(days=store.retention.days)
    count = await store.tasks.prune(instant(oldest), most_bytes)
    # In this order: a task is there before it has files.
    sizes = await run_sync(files.sizes)
    known, used = await store.tasks.latest_first(), 0
    for task_id, ended in known:
        used += sizes.get(task_id, 0)
        if ended and task_id in sizes and used > most_bytes:
            await store.tasks.forget(task_id)
            await run_sync(files.remove, task_id)
            count += 1
    for task_id in sizes.keys() - {task_id for task_id, _ in known}:
        await run_sync(files.remove, task_id)
    return count
