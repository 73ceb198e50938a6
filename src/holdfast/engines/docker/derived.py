"""Images derived from that of a language: with the layer of a prebuilt environment, or with what builds one.

A layer lives in the state directory, whichever engine has built it; its image is made of it when it is first needed,
and may be removed at any time. No name in a Dockerfile is anybody's but ours.
"""

import asyncio
import io
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from aiodocker import Docker

from holdfast.engines import NEW_LAYER
from holdfast.engines.docker.config import GUEST_LABEL, LAYER_LABEL, DockerConfig, guest_digest
from holdfast.engines.docker.daemon import answering
from holdfast.engines.host.tree import LAYER_LINKS, installer_binds
from holdfast.errors import EngineError, NotFoundError
from holdfast.languages import LAYER_AT

BUILD_SECONDS = 300.0
_FOR_BUILDS = "build"
_DOCKERFILE = "FROM {image}\nUSER 0:0\nCOPY root /\nUSER 1000:1000\n"


class DerivedImages:
    """Makes and removes them. One is made once, however many ask for it."""

    def __init__(self, config: DockerConfig, docker: Docker) -> None:
        self._config = config
        self._docker = docker
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def name(self, language: str, layer: str) -> str:
        """What the image is called."""
        return self._config.derived_image(language, _FOR_BUILDS if layer == NEW_LAYER else layer)

    async def make(self, language: str, layer: str) -> None:
        """Make it, unless it is there by now. Raises NotFoundError for a layer that is gone, EngineError."""
        name = self.name(language, layer)
        async with self._turns[name]:
            with answering("asked for the image of a prebuilt environment"):
                present = await self._docker.images.list(filters={"reference": [name]})
            if not present:
                await self._build(name, self._config.image(language), layer)

    async def _build(self, name: str, image: str, layer: str) -> None:
        labels = {GUEST_LABEL: guest_digest(), LAYER_LABEL: layer}
        with tempfile.TemporaryFile() as archive:
            await asyncio.to_thread(_write, archive, _DOCKERFILE.format(image=image), list(self._files(layer)))
            with answering("making the image of a prebuilt environment"):
                async with asyncio.timeout(BUILD_SECONDS):
                    steps = await self._docker.images.build(
                        fileobj=archive, encoding="identity", tag=name, labels=labels, forcerm=True
                    )
        failed = next((step["error"] for step in steps if "error" in step), None)
        if failed is not None:
            raise EngineError(f"Docker could not make the image of a prebuilt environment: {str(failed)[:300]}")

    def _files(self, layer: str) -> Iterator[tuple[Path, str]]:
        """Path on this host and in the image."""
        if layer == NEW_LAYER:
            yield from ((Path(place), inside) for place, inside in installer_binds())
            return
        place = self._config.layers / layer
        if not place.is_dir():
            raise NotFoundError("This prebuilt environment is gone.")
        yield place, LAYER_AT

    async def forget(self, layer: str) -> None:
        """Remove the images of a layer; containers that still run keep what they have of it."""
        with answering("asked for the images of a prebuilt environment"):
            for image in await self._docker.images.list(filters={"label": [f"{LAYER_LABEL}={layer}"]}):
                await self._docker.images.delete(image["Id"], force=True)


def _write(archive: IO[bytes], dockerfile: str, files: Sequence[tuple[Path, str]]) -> None:
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        text = dockerfile.encode()
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
        for place, inside in files:
            tar.add(place, f"root{inside}", filter=_plain)
        for name, target in LAYER_LINKS.items():
            link = tarfile.TarInfo(f"root/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    archive.seek(0)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
