"""Commands that speak with a server: where it is, and with which key."""

from pathlib import Path
from typing import TypeVar

from holdfast.client import AsyncClient, Client
from holdfast.client.line import HERE
from holdfast.settings import Settings, load_settings

C = TypeVar("C", Client, AsyncClient)


def where(server: str | None, api_key: str | None, config: Path | None = None) -> Settings:
    """The settings of a command that runs something. One run has no use for a stock."""
    return load_settings({"pool_size": 0, "server": server, "api_key": api_key}, config=config)


def client_of(settings: Settings, kind: type[C]) -> C:
    """A client of the server that the settings name, or else of the one a local `holdfast serve` is."""
    return kind(settings.server or HERE, settings.api_key.get_secret_value() if settings.api_key else None)
