"""What is kept in the state directory, and who may use it."""

from datetime import timedelta

from holdfast.data.store import DatasetStore
from holdfast.engines.local.network import can_give_network
from holdfast.execution import ProgramStore
from holdfast.keys import KeyStore
from holdfast.prebuilds import PrebuildStore
from holdfast.sessions import SessionStore
from holdfast.settings import Settings
from holdfast.settings.kinds import is_loopback as is_loopback


def open_programs(settings: Settings) -> ProgramStore:
    """The compiled programs of the state directory."""
    return ProgramStore(settings.state_dir / "programs", settings.compile_cache)


def open_prebuilds(settings: Settings) -> PrebuildStore:
    """The prebuilt environments of the state directory."""
    return PrebuildStore(settings.state_dir / "prebuilds")


def builds_have_network(settings: Settings) -> bool:
    """Whether builds of prebuilt environments may reach the outside."""
    if settings.prebuild_network == "auto":
        return is_loopback(settings.host) and not open_keys(settings).all() and can_give_network()
    return settings.prebuild_network == "on"


def dataset_store(settings: Settings) -> DatasetStore:
    """Where datasets are kept."""
    return DatasetStore(settings.state_dir)


def dataset_age(settings: Settings) -> timedelta | None:
    """How long after its last use an uploaded dataset is removed; None for never."""
    return timedelta(days=settings.dataset_days) if settings.dataset_days else None


def session_store(settings: Settings) -> SessionStore:
    """Where sessions are remembered."""
    return SessionStore(settings.state_dir / "sessions", settings.session_store)


def open_keys(settings: Settings) -> KeyStore:
    """The keys of the state directory and of the settings."""
    fixed = [*settings.api_keys, *([settings.auth_token] if settings.auth_token else [])]
    return KeyStore(settings.state_dir / "keys.json", [secret.get_secret_value() for secret in fixed])
