"""What gets into the log."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from holdfast.telemetry import configure_logging


class Empty(BaseHTTPRequestHandler):
    """Answers that there is nothing."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_an_address_that_is_called_is_not_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Its query may hold a key."""
    configure_logging("debug", "json")
    try:
        with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            httpx.get(f"http://127.0.0.1:{server.server_port}/?key=t0psecret")
            server.shutdown()
        assert "t0psecret" not in capsys.readouterr().err
    finally:
        configure_logging("error", "json")
