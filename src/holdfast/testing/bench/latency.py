"""How long one program takes when nothing else runs: every way of running it in turn, one by one."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator

from holdfast.testing.bench.client import Connection
from holdfast.testing.bench.figures import Spread, spread
from holdfast.testing.bench.jobs import COLD, DOCKER, WARM, Job
from holdfast.testing.bench.server import Server
from holdfast.testing.bench.spawning import once

WARM_UP = 3
SELDOM = 10
"""Docker takes so long that it is measured in one round of this many."""

CALM_SECONDS = 0.002
"""Between two samples, so that what one leaves to be done, such as a new sandbox for the stock, slows no other."""


def alternating(job: Job, warm: Server, cold: Server | None, rounds: int) -> dict[str, Spread]:
    """Latency of each way to do the job. The order changes each round, so that none always follows the same."""
    with contextlib.ExitStack() as stack:
        ways = {WARM: stack.enter_context(_over_http(warm, job))}
        if cold is not None:
            ways[COLD] = stack.enter_context(_over_http(cold, job))
        for name, program in job.peers.items():
            ways[name] = lambda program=program: once(program)  # type: ignore[misc]
        samples: dict[str, list[float]] = {name: [] for name in ways}
        orders = itertools.cycle(itertools.permutations(ways))
        for number in range(-WARM_UP, rounds):
            for name in next(orders):
                if name == DOCKER and number % SELDOM:
                    continue
                time.sleep(CALM_SECONDS)
                milliseconds = ways[name]()
                if number >= 0:
                    samples[name].append(milliseconds)
    return {name: spread(values) for name, values in samples.items()}


@contextlib.contextmanager
def _over_http(server: Server, job: Job) -> Iterator[Callable[[], float]]:
    with contextlib.closing(Connection(server.port)) as connection:

        def one() -> float:
            answer = connection.ask(job.request)
            milliseconds = connection.waited()
            answer.check(job.stdout)
            return milliseconds

        yield one
