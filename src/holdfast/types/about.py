"""The nouns in which a server says what it is."""

from typing import Literal

from pydantic import BaseModel

from holdfast.types.run import Network


class Enforced(BaseModel):
    """What this host can hold programs with."""

    layers: list[str]
    limits: list[str]
    networks: list[Network]
    cgroup: str
    landlock: int | None


class Health(BaseModel):
    """`degraded` means: below the usual floor, unable to make sandboxes just now, or shutting down."""

    status: Literal["ok", "degraded"]
    service: str = "holdfast"
    version: str
    engine: str
    auth_enabled: bool
    docker_connected: bool
    enforced: Enforced


class Runtime(BaseModel):
    """One language. `ready` says whether this host has it, `version` which."""

    id: str
    name: str
    description: str
    default_entrypoint: str
    file_extension: str
    main_file: str
    ready: bool
    version: str | None
    install: str


class Runtimes(BaseModel):
    """Every language, and the one a request gets that names none."""

    images: list[Runtime]
    default: str


HealthResponse = Health
RuntimeInfo = Runtime
RuntimesResponse = Runtimes
