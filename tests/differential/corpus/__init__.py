"""The corpus, by theme."""

from tests.differential.corpus import (
    endings,
    imports,
    interpreter,
    libraries,
    processes,
    shutdown,
    sources,
    streams,
    threads,
    tracebacks,
)

THEMES = (endings, shutdown, tracebacks, interpreter, imports, processes, threads, streams, sources, libraries)
PROGRAMS = tuple(program for theme in THEMES for program in theme.PROGRAMS)
