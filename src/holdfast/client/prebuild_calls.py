"""The exchanges about prebuilt environments; see `calls`."""

from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from holdfast.client.calls import Call, read_as
from holdfast.client.requests import body_of, valid
from holdfast.types import (
    Prebuild,
    PrebuildDeleted,
    PrebuildEvent,
    PrebuildRequest,
    Prebuilds,
    PrebuildsRemoved,
)

_EVENTS: TypeAdapter[PrebuildEvent] = TypeAdapter(PrebuildEvent)


def build(tag: str, setup_script: str, **fields: Any) -> Call[Prebuild]:
    """Make a prebuilt environment, in place of one that has the tag; `fields` are those of PrebuildRequest."""
    return Call("POST", "/prebuild", read_as(Prebuild), _body(tag, setup_script, fields))


def stream(tag: str, setup_script: str, **fields: Any) -> Call[PrebuildEvent]:
    """Make one and see what its script writes."""
    return Call("POST", "/prebuild/stream", _event, _body(tag, setup_script, fields))


def prebuilds() -> Call[Prebuilds]:
    """The prebuilt environments that this key may use."""
    return Call("GET", "/prebuilds", read_as(Prebuilds))


def info(tag: str) -> Call[Prebuild]:
    """One prebuilt environment."""
    return Call("GET", f"/prebuilds/{quote(tag, safe='')}", read_as(Prebuild))


def delete(tag: str) -> Call[PrebuildDeleted]:
    """Forget one; its files go when no run uses them."""
    return Call("DELETE", f"/prebuilds/{quote(tag, safe='')}", read_as(PrebuildDeleted))


def clean_up(*, max_age_days: float = 7) -> Call[PrebuildsRemoved]:
    """Forget what nobody has used for so long."""
    return Call("POST", f"/prebuilds/cleanup?max_age_days={max_age_days:g}", read_as(PrebuildsRemoved))


def _body(tag: str, setup_script: str, fields: dict[str, Any]) -> bytes:
    return body_of(valid(PrebuildRequest, {**fields, "tag": tag, "setup_script": setup_script}))


def _event(content: bytes) -> PrebuildEvent:
    return _EVENTS.validate_json(content, extra="ignore")
