"""Commands that speak with a server: where it is, and with which key."""

from pathlib import Path

from holdfast.client import AsyncClient
from holdfast.errors import ConfigurationError
from holdfast.settings import Settings, load_settings


def where(server: str | None, api_key: str | None, config: Path | None) -> Settings:
    """The settings of a command that runs something. One run has no use for a stock."""
    return load_settings({"pool_size": 0, "server": server, "api_key": api_key}, config=config)


def client_of(settings: Settings) -> AsyncClient:
    """A client of the server that the settings name."""
    if settings.server is None:
        raise ConfigurationError("No server is named; use --server URL or HOLDFAST_SERVER.")
    return AsyncClient(settings.server, settings.api_key.get_secret_value() if settings.api_key else None)
