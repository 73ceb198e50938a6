"""`python -m tests.bench`: measure everything, print it, and write it into docs/benchmarks.md."""

from rich.console import Console
from rich.markdown import Markdown

from tests.bench.languages import hello_worlds
from tests.bench.latency import PROGRAM, sequential_runs
from tests.bench.load import concurrent_requests, flood_of_output, steady_load
from tests.bench.report import PAGE, Report, write
from tests.bench.server import Client, Server, started

CLIENTS = (1, 4, 8)
CAPS = (1 << 20, 16 << 20)


def measure(server: Server) -> Report:
    """All benchmarks, the calm ones first."""
    isolation = Client(server.port).run({"code": PROGRAM}).body["isolation"]
    return Report(
        start_milliseconds=server.start_milliseconds,
        cgroup=isolation["cgroup"],
        landlock=isolation["landlock"],
        latencies=sequential_runs(server),
        throughputs=[steady_load(server, clients) for clients in CLIENTS],
        burst=concurrent_requests(server),
        hellos=hello_worlds(server),
        floods=[flood_of_output(server, cap) for cap in CAPS],
    )


def main() -> None:
    console = Console()
    console.print("Measuring; this takes about a minute.")
    with started() as server:
        report = measure(server)
    console.print(Markdown(write(report)))
    console.print(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
