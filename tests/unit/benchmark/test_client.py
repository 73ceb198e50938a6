"""The client of the benchmark takes only whole and right answers for runs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from holdfast.errors import EngineError
from holdfast.testing.bench.client import Answer, Connection, at_once, get, parse, post, steadily

WHOLE = b'HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 7\r\n\r\n{"a":1}'


class Handler(BaseHTTPRequestHandler):
    """Answers a run by what its code asks for, on a connection that stays."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        code = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["code"]
        status, stdout, exit_code = {"busy": (429, "", 0), "crash": (200, "1\n", 1)}.get(code, (200, code, 0))
        body = json.dumps({"stdout": stdout, "exit_code": exit_code}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that breaks off closes its connections."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def run(code: str) -> bytes:
    return post("/run", {"code": code})


def test_an_answer_is_taken_once_it_is_whole_and_not_a_byte_before() -> None:
    assert [parse(WHOLE[:length]) for length in range(len(WHOLE))] == [None] * len(WHOLE)
    assert parse(WHOLE) == Answer(200, b'{"a":1}')


def test_an_answer_may_be_empty() -> None:
    assert parse(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") == Answer(204, b"")


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"SSH-2.0-x\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nx", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", id="two lengths"),
        pytest.param(WHOLE + b"HTTP/1.1", id="more than was asked for"),
    ],
)
def test_what_is_no_single_answer_of_known_length_is_an_error(received: bytes) -> None:
    with pytest.raises(EngineError, match="answer"):
        parse(received)


def test_a_request_carries_the_length_of_its_body() -> None:
    head, _, body = post("/run", {"code": "print('ä')"}).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /run HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert get("/metrics").endswith(b"\r\n\r\n")


def test_only_a_run_that_ended_well_and_printed_exactly_that_counts(port: int) -> None:
    connection = Connection(port)
    assert connection.ask(run("1\n")).prints("1\n")
    assert not connection.ask(run("1")).prints("1\n")
    assert not connection.ask(run("crash")).prints("1\n")
    assert not connection.ask(run("busy")).prints("")
    assert connection.waited() > 0
    connection.close()


def test_as_many_answers_come_back_as_requests_were_sent_at_once(port: int) -> None:
    assert [answer.status for answer in at_once(port, run("busy"), 20)] == [429] * 20


def test_steady_load_counts_only_what_ends_in_its_window(port: int) -> None:
    found = steadily(port, run("1\n"), "1\n", clients=3, lead_seconds=0.05, seconds=0.1)
    assert found.ended == len(found.waits) > 3
    assert found.per_second == found.ended / 0.1
    assert found.driver_seconds > 0
    assert steadily(port, run("1\n"), "1\n", clients=3, lead_seconds=0.05, seconds=0.0).ended == 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [("busy", "answered 429"), ("crash", "ended with 1: 1"), ("2\n", "ended with 0: 2"), ("", "it wrote nothing")],
)
def test_steady_load_breaks_off_at_a_run_that_did_not_do_its_work(code: str, reason: str, port: int) -> None:
    with pytest.raises(EngineError, match=f"broke off: .*{reason}"):
        steadily(port, run(code), "1\n", clients=2, lead_seconds=0, seconds=60)
