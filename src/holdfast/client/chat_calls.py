"""The exchanges about conversations; see `calls`."""

from typing import Any
from urllib.parse import quote, urlencode

from holdfast.client.calls import Call, read_as
from holdfast.client.requests import body_of, valid
from holdfast.types import Chart, ChatAbout, ChatRequest, ChatResponse, Messages, Thread, Threads


def chat(dataset_id: str, message: str, /, **fields: Any) -> Call[ChatResponse]:
    """Ask about a dataset in words; `fields` are those of ChatRequest, such as the `thread_id` of a conversation.

    What is refused or fails is an answer that says so. Raises HoldfastError.
    """
    request = valid(ChatRequest, {**fields, "dataset_id": dataset_id, "message": message})
    return Call("POST", "/chat", read_as(ChatResponse), body_of(request))


def chat_about() -> Call[ChatAbout]:
    """Who answers questions on the server."""
    return Call("GET", "/chat", read_as(ChatAbout))


def threads(*, limit: int = 50, before: str | None = None) -> Call[Threads]:
    """The conversations of this key, the one that was used last first."""
    given = {"limit": limit} if before is None else {"limit": limit, "before": before}
    return Call("GET", f"/threads?{urlencode(given)}", read_as(Threads))


def messages(thread_id: str, *, limit: int = 50) -> Call[Messages]:
    """The last messages of a conversation, oldest first."""
    return Call("GET", f"{_path(thread_id)}/messages?limit={limit}", read_as(Messages))


def cancel_turn(thread_id: str) -> Call[Thread]:
    """End what a conversation is doing."""
    return Call("POST", f"{_path(thread_id)}/cancel", read_as(Thread), b"{}")


def forget_thread(thread_id: str) -> Call[None]:
    """Forget a conversation; its runs stay."""
    return Call("DELETE", _path(thread_id), lambda _: None)


def chart(run_id: str, **choice: str) -> Call[Chart]:
    """The chart of a data run; `mark`, `x`, `y` and `color` choose another than the one that suits it."""
    return Call("GET", _chart(run_id, {**choice, "format": "json"}), read_as(Chart))


def chart_picture(run_id: str, format: str = "png", **choice: str) -> Call[bytes]:
    """The same as a picture, `png` or `svg`."""
    return Call("GET", _chart(run_id, {**choice, "format": format}), bytes)


def _path(thread_id: str) -> str:
    return f"/threads/{quote(thread_id, safe='')}"


def _chart(run_id: str, query: dict[str, str]) -> str:
    return f"/runs/{quote(run_id, safe='')}/chart?{urlencode(query)}"
