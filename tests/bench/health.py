"""`GET /health` while a 10-second query and a slow language model are at work, beside the same of a server at rest.

`python -m tests.bench.health` prints what it measures. The model is a local server that speaks as OpenAI's does and
takes its time; the query is Python over data that computes until its time is up.
"""

import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.product import product

WARM_UP, PAUSE_SECONDS = 20, 0.02
QUERY_SECONDS, MODEL_SECONDS = 10, 12
BOUND_MS = 50.0
BUSY = "while True:\n    sum(range(100_000))"


class SlowModel(BaseHTTPRequestHandler):
    """Answers after `MODEL_SECONDS` that it refuses."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(MODEL_SECONDS)
        message = {"role": "assistant", "content": "SELECT 1 AS one"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        said = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "slow",
            "choices": [choice],
            "usage": usage,
        }
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def slow_model() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowModel) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def asked(client: httpx.Client, seconds: float) -> list[float]:
    """The milliseconds of each `GET /health` in that time."""
    taken = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        client.get("/health").raise_for_status()
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_SECONDS)
    return taken


def row(name: str, taken: list[float]) -> str:
    """Markdown."""
    p99 = sorted(taken)[int(len(taken) * 0.99)]
    return f"| {name} | {len(taken)} | {statistics.median(taken):.1f} | {p99:.1f} | {max(taken):.1f} |"


def main() -> None:
    with (
        TemporaryDirectory(prefix="holdfast-bench-") as folder,
        slow_model() as url,
        product(Path(folder), openai_base_url=url, openai_model="slow", llm_provider="openai", pool_size="2") as server,
        httpx.Client(base_url=server, timeout=60) as client,
    ):
        client.get("/datasets").raise_for_status()
        asked(client, WARM_UP * PAUSE_SECONDS)
        idle = asked(client, 4)
        query = {"dataset_id": "support", "python": BUSY, "timeout": QUERY_SECONDS}
        question = {"dataset_id": "support", "message": "Why are customers unhappy?"}
        work = [
            threading.Thread(
                target=httpx.post, args=(f"{server}{path}",), kwargs={"json": body, "timeout": 120}, daemon=True
            )
            for path, body in (("/runs", query), ("/chat", question))
        ]
        for each in work:
            each.start()
        first, busy = asked(client, 3), asked(client, QUERY_SECONDS - 4)
        print(f"load average {os.getloadavg()[0]:.1f}\n")
        print("| `GET /health` | requests | p50 ms | p99 ms | highest ms |\n|---|---|---|---|---|")
        print(row("at rest", idle))
        print(row("while the first question is asked and the first launchers start", first))
        print(row("during a 10 s query and a slow model", busy))
        print(f"\n{'below' if max(*first, *busy) < BOUND_MS else 'NOT below'} {BOUND_MS:g} ms")


if __name__ == "__main__":
    main()
