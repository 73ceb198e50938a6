"""What commands need to talk with a server."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from holdfast.cli import OWN_FAILURE, WRONG_USAGE, fail

_UNREAD_SECONDS = 60.0
"""Longer than the server is ever silent: it pings while nothing happens."""


@contextmanager
def connected(server: str, api_key: str | None) -> Iterator[httpx.Client]:
    """A client; when the server cannot be reached, that is said in one sentence."""
    headers = {"X-API-Key": api_key} if api_key else {}
    try:
        with httpx.Client(base_url=server, headers=headers, timeout=_UNREAD_SECONDS) as client:
            yield client
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"the server at {server} cannot be reached: {error}.", OWN_FAILURE)


def answer(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """The JSON of an answer; a refusal ends the command with its sentence."""
    found = client.request(method, path, **options)
    _refuse(found)
    return found.json() if found.content else None


def print_file(client: httpx.Client, path: str) -> None:
    """Write the bytes of an answer to stdout."""
    found = client.get(path)
    _refuse(found)
    sys.stdout.buffer.write(found.content)
    sys.stdout.buffer.flush()


def show_run(client: httpx.Client, path: str, body: dict[str, Any]) -> int:
    """Show a run as it happens; its exit code."""
    with client.stream("POST", path, json=body) as stream:
        if stream.is_error:
            stream.read()
            _refuse(stream)
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        for event in map(json.loads, (line.removeprefix("data: ") for line in lines)):
            if "type" not in event or event["type"] == "about:blank":
                fail(event["detail"], OWN_FAILURE)
            code = _show(event)
            if code is not None:
                return code
    fail("the server ended the run without a result.", OWN_FAILURE)
    return OWN_FAILURE


def _show(event: dict[str, Any]) -> int | None:
    """The exit code, once there is one."""
    if event["type"] == "output":
        stream = sys.stdout if event["stream"] == "stdout" else sys.stderr
        stream.write(event["text"])
        stream.flush()
    elif event["type"] == "display":
        data = event["display"]["data"]
        print(data.get("text/plain") or f"({', '.join(data)})", flush=True)
    elif event["type"] == "exited":
        for note in event["result"]["notes"]:
            print(f"holdfast: {note}", file=sys.stderr)
        return int(event["result"]["exit_code"])
    return None


def _refuse(found: httpx.Response) -> None:
    if found.is_error:
        try:
            sentence = found.json()["detail"]
        except (ValueError, KeyError):
            sentence = f"the server answered {found.status_code}."
        fail(sentence, WRONG_USAGE if found.is_client_error else OWN_FAILURE)
