"""How both clients are set up: addresses, headers, patience."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import httpx

from holdfast.client.calls import Call

F = TypeVar("F", bound=Callable[..., Any])

HERE = "http://127.0.0.1:8000"
RETRIES = 4
TIMEOUT_SECONDS = 600.0
"""Longer than a program may run where nobody changed the ceiling."""

CONNECT_SECONDS = 10.0
MOST_CONNECTIONS = 1000


def options(url: str, api_key: str | None, timeout: float | None) -> dict[str, Any]:
    """What both kinds of httpx client are made with."""
    return {
        "base_url": url,
        "headers": {"X-API-Key": api_key} if api_key else {},
        "timeout": httpx.Timeout(timeout, connect=CONNECT_SECONDS, pool=None),
        "limits": httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=20),
    }


def headers(call: Call[object], *, stream: bool) -> dict[str, str]:
    """What goes with one exchange."""
    given = {"Accept": "text/event-stream", "Cache-Control": "no-store"} if stream else {}
    return given if call.body is None else {**given, "Content-Type": call.media_type}


def as_method(method: F, build: Callable[..., Any], *bound: str) -> F:
    """Give a method the name, text and (but for `bound`) parameters of what it does, so that `help()` shows them."""
    method = wraps(build)(method)  # type: ignore[assignment]
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    shown = [each for name, each in inspect.signature(build).parameters.items() if name not in bound]
    method.__signature__ = inspect.Signature([own, *shown])  # type: ignore[attr-defined]
    return method
