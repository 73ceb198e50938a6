"""How long one program takes when nothing else runs: every way of running it in turn, some in a row."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from holdfast.testing.bench.client import Connection
from holdfast.testing.bench.figures import Spread, spread
from holdfast.testing.bench.jobs import BARE, COLD, DOCKER, WARM, Job
from holdfast.testing.bench.server import Server
from holdfast.testing.bench.spawning import Program, once

SELDOM = 10
"""Docker takes so long that it is measured in one round of this many."""

Way = Callable[[], AbstractContextManager[Callable[[], float]]]
"""For one turn, a function that does the job once and returns the milliseconds it took."""

AFTER_A_PAUSE = "{}, after a pause"
IN_A_ROW = 10
"""Samples of one way before it is the turn of the next, each sent when the one before is answered."""

CALM_SECONDS = 0.02
"""Between two turns, so that what one leaves to be done, such as new sandboxes for the stock, slows no other."""


def alternating(job: Job, warm: Server, cold: Server | None, rounds: int) -> dict[str, Spread]:
    """Latency of each way to do the job. The order changes each round, so that none always follows the same.

    What comes first in its turn, after a pause in which others had the processor, is also told by itself.
    """
    ways: dict[str, Way] = {WARM: partial(_over_http, warm, job)}
    if cold is not None:
        ways[COLD] = partial(_over_http, cold, job)
    for name, program in job.peers.items():
        ways[name] = partial(_as_process, program)
    samples: dict[str, list[float]] = {name: [] for name in ways}
    firsts: dict[str, list[float]] = {AFTER_A_PAUSE.format(name): [] for name in ways if name in (WARM, BARE)}
    orders = itertools.cycle(itertools.permutations(ways))
    for number in range(-1, math.ceil(rounds / IN_A_ROW)):
        for name in next(orders):
            if name == DOCKER and number % SELDOM:
                continue
            time.sleep(CALM_SECONDS)
            with ways[name]() as one:
                found = [one() for _ in range(1 if name == DOCKER else IN_A_ROW)]
            if number >= 0:
                samples[name] += found
                firsts.get(AFTER_A_PAUSE.format(name), []).append(found[0])
    return {name: spread(values) for name, values in (samples | firsts).items()}


@contextlib.contextmanager
def _as_process(program: Program) -> Iterator[Callable[[], float]]:
    yield lambda: once(program)


@contextlib.contextmanager
def _over_http(server: Server, job: Job) -> Iterator[Callable[[], float]]:
    with contextlib.closing(Connection(server.port)) as connection:

        def one() -> float:
            answer = connection.ask(job.request)
            milliseconds = connection.waited()
            answer.check(job.stdout)
            return milliseconds

        yield one
