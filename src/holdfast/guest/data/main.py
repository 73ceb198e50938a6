"""The program of a run over data: reads its job, does it, and leaves an answer."""

from __future__ import annotations

import json
import os
import signal
import time

from holdfast.guest.data import answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

JOB = ".holdfast/job.json"
DATABASE = "/data/data.duckdb"
"""Where the tables of a dataset are."""

OUT_OF_MEMORY = "The query needed more memory than it may use; select or group less, or ask for more memory."


def main() -> None:
    """Do the job of this workspace."""
    with open(JOB, "rb") as file:
        job = json.load(file)
    begun = time.perf_counter()
    try:
        answer.leave(_KINDS[job["kind"]](job))
    except answer.Failure as failure:
        answer.leave(answer.failed(failure, (time.perf_counter() - begun) * 1000))
        os._exit(1)
    # There is nothing to tidy up in a cell, and that would take longer than most queries.
    os._exit(0)


def _start_clock(seconds: float | None) -> None:
    """End this process in so many seconds, now that all is loaded; who gets around that is ended from outside."""
    if seconds is not None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _sql(job: dict[str, Any]) -> str:
    from holdfast.guest.data import sql

    _start_clock(job["seconds"])
    try:
        rows, total, took = sql.run(job)
    except MemoryError:
        raise answer.Failure(sql.FAILED, OUT_OF_MEMORY) from None
    return rows.answer(total, took)


def _python(job: dict[str, Any]) -> str:
    from holdfast.guest.data import python

    _start_clock(job["seconds"])
    rows, total, took, figures = python.run(job)
    return rows.answer(total, took, figures=figures)


_KINDS = {"sql": _sql, "python": _python}
