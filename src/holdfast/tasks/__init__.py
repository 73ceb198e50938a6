"""Tasks: what is asked for now and done when a worker is free, and told of event by event.

A task is a row of the store. A worker claims it with a lease, a handler does what its type means, and every event is
appended in the transaction that changes what it reports. Delivery to callbacks and readers of events follow the rows:
a notification only wakes them.
"""

from holdfast.tasks.handling import TaskFailedError, TaskHandler, TaskRun, TaskWaitsError

__all__ = ["TaskFailedError", "TaskHandler", "TaskRun", "TaskWaitsError"]
