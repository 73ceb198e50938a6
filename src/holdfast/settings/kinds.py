"""The kinds of values that settings have."""

import ipaddress
import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.config import JsonDict

from holdfast.types import (
    Destination,
    ModelPrice,
    parse_destination,
    parse_model_price,
    parse_name_server,
    parse_size,
)

OFF = "off"
RATE = re.compile(r"([1-9]\d{0,8})/(second|minute|hour)")


def described(default: Any, description: str, shown: str | None = None) -> Any:
    """A setting: its default, what it does, and what is said of a default that is found out at start."""
    extra: JsonDict = {"shown": shown}
    if callable(default):
        return Field(default_factory=default, description=description, json_schema_extra=extra, validate_default=True)
    return Field(default=default, description=description, json_schema_extra=extra, validate_default=True)


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _bytes(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


def rate(value: str) -> str:
    """Raises ValueError."""
    if value != OFF and RATE.fullmatch(value) is None:
        raise ValueError(f"write a number per second, minute or hour, such as 600/minute, or {OFF}")
    return value


def store_place(value: Any) -> Any:
    """`None` is a file in the state directory. Raises ValueError."""
    if not isinstance(value, str) or value == "sqlite":
        return None if value == "sqlite" else value
    scheme, colon, _ = value.partition("://")
    if colon and scheme not in ("postgresql", "postgres"):
        raise ValueError("write sqlite, the path of a file, or postgresql://user:password@host/database")
    return value


Listed = BeforeValidator(_split)
Lowered = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)
Size = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]
Allowed = Annotated[Destination, BeforeValidator(lambda value: parse_destination(str(value)))]
Priced = Annotated[
    ModelPrice, BeforeValidator(lambda value: parse_model_price(value) if isinstance(value, str) else value)
]
NameServer = Annotated[IPv4Address, BeforeValidator(lambda value: parse_name_server(str(value)))]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


def is_loopback(host: str) -> bool:
    """Whether an address or host name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
