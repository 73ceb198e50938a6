"""What Holdfast costs on this machine, measured over HTTP against a real server, beside what else can run a program.

`holdfast bench` and `make bench` are callers of this.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from holdfast.settings import Settings
from holdfast.testing.bench.jobs import find_jobs
from holdfast.testing.bench.measuring import QUICK, Pace, Say, machine, measure
from holdfast.testing.bench.tables import Report, Table, tables

__all__ = ["QUICK", "Pace", "Report", "Table", "benchmark", "tables"]


def benchmark(settings: Settings, pace: Pace, passes: int, say: Say) -> Report:
    """Measure everything so many times; `say` hears what is being done. Raises StartupError, EngineError."""
    with ExitStack() as at_the_end:
        folder = at_the_end.enter_context(tempfile.TemporaryDirectory(prefix=f"holdfast-bench-{os.getpid()}-"))
        jobs = find_jobs(settings, Path(folder), at_the_end)
        here = machine(settings, jobs)
        found = []
        for number in range(1, passes + 1):
            prefix = f"pass {number} of {passes}: " if passes > 1 else ""
            found.append(measure(settings, jobs, pace, lambda what, prefix=prefix: say(prefix + what)))  # type: ignore[misc]
    return Report(here, jobs.absent, found)
