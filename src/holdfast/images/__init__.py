"""The images that programs run in on Docker: one per language, each above one that has what all of them need.

Beside this module is a directory with a Dockerfile for each. What the seed's images say in their labels, ours do.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from aiodocker import Docker
from anyio.to_thread import run_sync

from holdfast.engines.docker.config import BASE, GUEST_LABEL, IMAGES, DockerConfig, bare, guest_digest, tags_of
from holdfast.engines.docker.daemon import answering, connect
from holdfast.errors import RuntimeNotAvailableError, UnknownLanguageError
from holdfast.images.context import Sources, write
from holdfast.languages import LANGUAGES

__all__ = ["RuntimeNotAvailableError", "Sources", "build", "labels", "present"]

DEFAULT_BASE = "debian:bookworm-slim"
Progress = Callable[[str], None]


async def build(
    config: DockerConfig, sources: Sources, names: Sequence[str], base: str | None, progress: Progress
) -> list[str]:
    """Build the images of these languages, or of all this host has something for; which were built.

    `base` is what they are built upon. Raises UnknownLanguageError, RuntimeNotAvailableError, HostError, EngineError.
    """
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        raise UnknownLanguageError(f"'{unknown[0][:80]}' has no image; there is one for: {', '.join(IMAGES)}.")
    built = []
    async with connect(config.socket) as docker:
        workshop = _Workshop(docker, config, sources, progress)
        await workshop.build(BASE, base or DEFAULT_BASE)
        for name in names or IMAGES:
            try:
                await workshop.build(name, config.image(BASE))
            except RuntimeNotAvailableError as error:
                if names:
                    raise
                progress(f"{LANGUAGES[name].title} is left out: {error.detail}")
                continue
            built.append(config.image(name))
    return built


async def present(config: DockerConfig) -> list[dict[str, Any]]:
    """The images that this version can use. Raises HostError."""
    async with connect(config.socket) as docker:
        with answering("asked for its images"):
            found = await docker.images.list(filters={"label": [f"{GUEST_LABEL}={guest_digest()}"]})
    sizes = {tag: image["Size"] for image in found for tag in tags_of(image)}
    names = {name: config.image(name) for name in IMAGES}
    return [
        {"language": name, "image": image, "size_bytes": sizes[bare(image)]}
        for name, image in names.items()
        if bare(image) in sizes
    ]


def labels(name: str) -> Mapping[str, str]:
    """What an image says of itself."""
    ours = {GUEST_LABEL: guest_digest(), "holdfast.image": name}
    if name not in LANGUAGES:
        return ours
    language = LANGUAGES[name]
    return ours | {
        "qm.name": language.title,
        "qm.description": language.description,
        "qm.default_entrypoint": language.default_entrypoint,
        "qm.file_extension": language.file_extension,
        "qm.main_file": language.main_file,
    }


class _Workshop:
    def __init__(self, docker: Docker, config: DockerConfig, sources: Sources, progress: Progress) -> None:
        self._docker = docker
        self._config = config
        self._sources = sources
        self._progress = progress

    async def build(self, name: str, base: str) -> None:
        tag = self._config.image(name)
        self._progress(f"Building {tag}")
        with tempfile.TemporaryFile() as archive:
            await run_sync(write, archive, dockerfile(name), self._sources, name)
            steps = self._docker.images.build(
                fileobj=archive,
                encoding="identity",
                tag=tag,
                buildargs={"BASE": base},
                labels=labels(name),
                forcerm=True,
                stream=True,
                timeout=None,
            )
            with answering(f"building {tag}"):
                async for step in steps:
                    if "error" in step:
                        raise RuntimeNotAvailableError(f"{tag} could not be built: {str(step['error']).strip()[:500]}")


def dockerfile(name: str) -> str:
    """How an image is made."""
    return (resources.files("holdfast.images") / name / "Dockerfile").read_text()
