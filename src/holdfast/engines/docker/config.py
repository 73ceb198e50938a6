"""What the operator decides about the Docker engine, and how its images and containers are called."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from holdfast.languages import LANGUAGES

SAME_IMAGE = {"sql": "python"}
"""Languages that need no image of their own."""

STATE_LABEL, INSTANCE_LABEL = "holdfast.state", "holdfast.instance"
"""On every container: which state directory it belongs to, and which engine made it (see `leftovers`)."""

GUEST_LABEL = "holdfast.guest"
"""On every image: the guest programs it has. Those of another version do not speak our protocol."""

LAYER_LABEL = "holdfast.layer"
"""On an image that is derived: the layer or dataset it has."""

BASE = "base"
"""The image below those of all languages."""


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """Settings of one engine.

    `images` is what the names of our images begin with, `runtime` what runs containers (empty: the daemon's default).
    `layers` is where finished layers are, each a directory of its name. `network` is the Docker network of programs
    that may have one; without it none may. `profiles` are the modules that are loaded in advance, by name; the empty
    name is the plain interpreter.
    """

    socket: Path
    state_dir: Path
    layers: Path
    images: str = "holdfast"
    runtime: str = ""
    network: str = ""
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    floor: frozenset[str] = frozenset({"namespaces", "seccomp", "cgroup"})

    @property
    def name(self) -> str:
        """What the engine is called: the same daemon with another runtime is another kind of wall."""
        return f"docker+{self.runtime}" if self.runtime else "docker"

    def image(self, language: str) -> str:
        """The image in which a language runs."""
        return f"{self.images}/{SAME_IMAGE.get(language, language)}:latest"

    def derived_image(self, language: str, source: str, below: str) -> str:
        """The image with what a prebuilt environment or dataset adds to that of a language, whose id begins so."""
        return f"{self.images}/derived:{SAME_IMAGE.get(language, language)}-{source}-{below}"


def bare(name: str) -> str:
    """The name of an image without the place that Podman adds to it."""
    return name.removeprefix("localhost/").removeprefix("docker.io/")


def tags_of(image: Mapping[str, Any]) -> frozenset[str]:
    """What an image is called, by what a daemon says of it."""
    return frozenset(map(bare, image["RepoTags"] or ()))


IMAGES = tuple(dict.fromkeys(SAME_IMAGE.get(name, name) for name in LANGUAGES))
"""The languages that have an image."""


@cache
def guest_digest() -> str:
    """What tells our guest programs from those of other versions."""
    folder = Path(str(resources.files("holdfast.guest")))
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
