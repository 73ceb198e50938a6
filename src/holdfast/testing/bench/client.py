"""The lightest HTTP client that still checks every answer: it shares the machine with the server it measures."""

import json
import re
import selectors
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.errors import EngineError
from holdfast.testing.bench.figures import Slice

RECEIVE_BYTES = 1 << 18
ANSWER_SECONDS = 300.0
_END_OF_HEAD = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})\b")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)(?=\r\n|\Z)", re.I)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    def prints(self, stdout: str) -> bool:
        """Whether this is the result of a run that printed exactly this."""
        return self.status == 200 and self.body["stdout"] == stdout and self.body["exit_code"] == 0

    def check(self, stdout: str) -> None:
        """Raises EngineError, with what is wrong, unless it `prints` this."""
        if self.prints(stdout):
            return
        if self.status != 200:
            raise EngineError(f"The benchmark broke off: a run was answered {self.status} {self.body.get('detail')}")
        written = (self.body.get("stderr") or self.body["stdout"]).strip().splitlines() or ["it wrote nothing"]
        raise EngineError(f"The benchmark broke off: a run ended with {self.body['exit_code']}: {written[-1][:300]}")


def post(path: str, body: Mapping[str, Any]) -> bytes:
    """A request, ready to be sent many times."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def parse(received: bytes | bytearray) -> Answer | None:
    """The answer once it is whole, None before. Raises EngineError for what is no answer of known length."""
    end = received.find(_END_OF_HEAD)
    if end < 0:
        return None
    status, lengths = _STATUS.match(received), _LENGTH.findall(received, 0, end)
    if status is None or len(lengths) != 1:
        raise EngineError("The benchmark broke off: what came is not an HTTP answer of known length.")
    begin = end + len(_END_OF_HEAD)
    missing = begin + int(lengths[0]) - len(received)
    if missing < 0:
        raise EngineError("The benchmark broke off: more than one answer came to one request.")
    return None if missing else Answer(int(status[1]), bytes(received[begin:]))


class Connection:
    """One kept-alive connection with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self.sent_at = 0.0

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        self._received.clear()
        self.sent_at = time.perf_counter()
        self._socket.sendall(request)

    def receive(self) -> Answer | None:
        """Take what has come; the answer once it is whole. Raises EngineError when the server is gone."""
        try:
            part = self._socket.recv(RECEIVE_BYTES)
        except OSError as error:
            raise EngineError(f"The benchmark broke off: {error}.") from None
        if not part:
            raise EngineError("The benchmark broke off: the server closed a connection.")
        self._received += part
        return parse(self._received)

    def ask(self, request: bytes) -> Answer:
        """Send and wait."""
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer

    def waited(self) -> float:
        """Milliseconds since the request was sent."""
        return (time.perf_counter() - self.sent_at) * 1000

    def close(self) -> None:
        self._socket.close()


def at_once(port: int, request: bytes, count: int) -> list[Answer]:
    """The answers to many requests that are sent together, each over a connection of its own."""
    connections = [Connection(port) for _ in range(count)]
    answers: list[Answer] = []

    def take(answer: Answer, _: Connection) -> bool:
        answers.append(answer)
        return False

    _serve(connections, request, take)
    return answers


def steadily(port: int, request: bytes, stdout: str, clients: int, lead_seconds: float, seconds: float) -> Slice:
    """Load from a number of clients. What ends in the lead is not counted: it may live on what was in stock."""
    begin = time.perf_counter() + lead_seconds
    end = begin + seconds
    waits: list[float] = []
    driver = DriverTime(begin)

    def take(answer: Answer, connection: Connection) -> bool:
        answer.check(stdout)
        now = time.perf_counter()
        driver.look(now)
        if begin <= now < end:
            waits.append((now - connection.sent_at) * 1000)
        if now < end:
            connection.send(request)
        return now < end

    _serve([Connection(port) for _ in range(clients)], request, take)
    return Slice(len(waits), waits, seconds, driver.spent())


class DriverTime:
    """Processor time of this process since a moment."""

    def __init__(self, begin: float) -> None:
        self._begin = begin
        self._from: float | None = None

    def look(self, now: float) -> None:
        if self._from is None and now >= self._begin:
            self._from = time.process_time()

    def spent(self) -> float:
        return time.process_time() - self._from if self._from is not None else 0.0


def _serve(connections: Sequence[Connection], request: bytes, take: Callable[[Answer, Connection], bool]) -> None:
    """Send on every connection, then hand over each answer as it comes, until `take` wants no more of any."""
    try:
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection, selectors.EVENT_READ, connection)
                connection.send(request)
            while selector.get_map():
                for key, _ in selector.select(ANSWER_SECONDS) or _too_late():
                    answer = key.data.receive()
                    if answer is not None and not take(answer, key.data):
                        selector.unregister(key.data)
    finally:
        for connection in connections:
            connection.close()


def _too_late() -> list[tuple[selectors.SelectorKey, int]]:
    raise EngineError(f"The benchmark broke off: no answer within {ANSWER_SECONDS:.0f} s.")
