"""The nouns of prebuilt environments."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from holdfast.types.run import FileContent, Frozen, OutputEvent, PrebuildSpec, StartedEvent

PREBUILT_PREFIX = "prebuilt-"


class PrebuildRequest(PrebuildSpec):
    """One prebuilt environment to make. `files` are beside the script while it runs, in /workspace.

    `allow_network` absent means: if the operator allows it. With `shared`, every key may run programs in it.
    """

    model_config = ConfigDict(extra="forbid")

    tag: str
    files: dict[str, FileContent] = Field(default_factory=dict)
    allow_network: bool | None = None
    shared: bool = False


class Prebuild(Frozen):
    """A prebuilt environment that can be named as the `image` of a run."""

    tag: str
    base_image: str
    size_bytes: int
    layer_size_bytes: int
    status: Literal["ready"] = "ready"
    created: datetime
    last_used: datetime
    script_sha256: str
    shared: bool
    labels: dict[str, str]


class Prebuilds(Frozen):
    """Every prebuilt environment the caller may see."""

    prebuilds: tuple[Prebuild, ...]


class PrebuildDeleted(Frozen):
    """A prebuilt environment is no more; its files go when no run uses them."""

    status: Literal["deleted"] = "deleted"
    tag: str


class PrebuildsRemoved(Frozen):
    """What a clean-up took away."""

    removed: tuple[str, ...]
    count: int


class BuiltEvent(Frozen):
    """The last event of a build."""

    type: Literal["built"] = "built"
    seq: int
    prebuild: Prebuild


PrebuildEvent = Annotated[StartedEvent | OutputEvent | BuiltEvent, Field(discriminator="type")]
