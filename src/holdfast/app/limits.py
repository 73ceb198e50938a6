"""What the settings mean to runs: defaults, and how much may be asked for."""

import os

from holdfast.data.understanding import DataBounds
from holdfast.execution import Bounds
from holdfast.sessions import Ceilings
from holdfast.settings import Settings
from holdfast.settings.kinds import is_loopback as is_loopback
from holdfast.types import Limits

SHARES_CEILING = 262_144


def bounds(settings: Settings) -> Bounds:
    """The defaults and ceilings of runs."""
    cores = settings.max_cpu_cores
    defaults = Limits(
        wall_seconds=settings.default_timeout,
        memory_bytes=settings.default_memory,
        disk_bytes=settings.default_disk,
        output_bytes=settings.output_bytes,
        processes=settings.default_processes,
        open_files=settings.default_open_files,
        cpu_shares=settings.default_cpu_shares,
        # A run that does not ask may not get more processors than one that does.
        cpus=cores if (os.cpu_count() or 1) > cores else None,
    )
    ceilings = Limits(
        wall_seconds=settings.max_timeout,
        memory_bytes=settings.max_memory_mb << 20,
        disk_bytes=settings.max_disk_mb << 20,
        output_bytes=settings.max_output_bytes,
        processes=settings.max_processes,
        open_files=settings.max_open_files,
        cpu_shares=SHARES_CEILING,
        cpu_seconds=settings.max_timeout * cores,
        cpus=cores,
    )
    compiling = ceilings.model_copy(
        update={
            "wall_seconds": settings.compile_timeout,
            "memory_bytes": settings.compile_memory,
            "disk_bytes": settings.compile_memory * 3 // 4,
            "output_bytes": settings.output_bytes,
            "cpu_shares": settings.default_cpu_shares,
            "cpu_seconds": None,
            "cpus": defaults.cpus,
        }
    )
    return Bounds(
        defaults=defaults,
        ceilings=ceilings,
        loaded=settings.warm_modules,
        compiling=compiling,
        network=settings.allow_network,
    )


def data_bounds(settings: Settings) -> DataBounds:
    """The defaults and ceilings of data runs."""
    return DataBounds(
        seconds=settings.data_timeout,
        max_seconds=settings.max_data_timeout,
        memory_bytes=settings.data_memory,
        cpus=settings.data_cpus,
        rows=settings.data_rows,
        max_rows=settings.max_data_rows,
        output_bytes=settings.data_output,
        max_output_bytes=settings.max_data_output,
        python=settings.enable_python_execution,
    )


def session_ceilings(settings: Settings) -> Ceilings:
    """How long sessions may live, and how many there may be."""
    return Ceilings(
        idle_seconds=settings.session_idle,
        max_idle_seconds=settings.max_session_idle,
        lifetime_seconds=settings.session_lifetime,
        max_lifetime_seconds=settings.max_session_lifetime,
        sessions=settings.max_sessions,
        sessions_per_key=settings.max_sessions_per_key,
        files_bytes=settings.session_files,
    )
