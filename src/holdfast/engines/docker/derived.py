"""Images derived from that of a language: with a prebuilt environment, with what builds one, or with a dataset.

Layers and datasets live in the state directory, whichever engine has made them; the image of one is made when it is
first needed, and may be removed at any time. It is named after the image below it, so that none outlives an upgrade. No
name in a Dockerfile is anybody's but ours, and none can be pulled.
"""

import asyncio
import io
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from weakref import WeakValueDictionary

from aiodocker import Docker

from holdfast.engines import DATA_AT, NEW_LAYER, SandboxSpec
from holdfast.engines.docker.config import GUEST_LABEL, IMAGES, LAYER_LABEL, DockerConfig, bare, guest_digest, tags_of
from holdfast.engines.docker.daemon import AbsentError, answering
from holdfast.engines.host import datasets
from holdfast.engines.host.tree import LAYER_LINKS, installer_binds
from holdfast.errors import EngineError, NotFoundError, full_disk_is_ours
from holdfast.languages import LAYER_AT

BUILD_SECONDS = 300.0
AGAIN_SECONDS = 1.0
_FOR_BUILDS = "build"
_ID_DIGITS = 12
_DOCKERFILE = "FROM {below}\nUSER 0:0\nCOPY root /\nUSER 1000:1000\n"


class DerivedImages:
    """Makes and removes them. One is made once, however many ask for it. `owner` labels those of a state directory."""

    def __init__(self, config: DockerConfig, docker: Docker, owner: Mapping[str, str]) -> None:
        self._config = config
        self._docker = docker
        self._owner = owner
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def having(self, spec: SandboxSpec) -> str:
        """The image of this kind of sandbox; it is made, unless there is one.

        Raises NotFoundError for a layer or dataset that is gone, UnsupportedError, AbsentError, EngineError.
        """
        below = await self._id_of(self._config.image(spec.language))
        name = self._config.derived_image(spec.language, _source(spec), below[:_ID_DIGITS])
        turn = self._turns.setdefault(name, asyncio.Lock())
        async with turn:
            try:
                await self._id_of(name)
            except AbsentError:
                await self._build(name, below, spec)
        return name

    async def _id_of(self, image: str) -> str:
        with answering(f"asked for the image {image}"):
            found = await self._docker.images.inspect(image)
        return _id(found)

    async def _build(self, name: str, below: str, spec: SandboxSpec) -> None:
        labels = {GUEST_LABEL: guest_digest(), LAYER_LABEL: _source(spec), **self._owner}
        with full_disk_is_ours(), tempfile.TemporaryFile(dir=self._config.state_dir) as archive:
            files, links = list(self._files(spec)), {} if spec.data else LAYER_LINKS
            try:
                await asyncio.to_thread(_write, archive, _DOCKERFILE.format(below=below), files, links)
            except FileNotFoundError:
                raise NotFoundError("What the program was to see has just been removed.") from None
            with answering("making the image of a prebuilt environment or dataset"):
                async with asyncio.timeout(BUILD_SECONDS):
                    # What the cache has may be of an image with the same content that is just being removed.
                    steps = await self._docker.images.build(
                        fileobj=archive, encoding="identity", tag=name, labels=labels, forcerm=True, nocache=True
                    )
        failed = next((step["error"] for step in steps if "error" in step), None)
        if failed is not None:
            raise EngineError(f"Docker could not make the image of a prebuilt environment or dataset: {failed!s:.300}")

    def _files(self, spec: SandboxSpec) -> Iterator[tuple[Path, str]]:
        """Path on this host and in the image."""
        if spec.data:
            yield datasets.place_of(self._config.state_dir, spec), DATA_AT
        elif spec.layer == NEW_LAYER:
            yield from ((Path(place), inside) for place, inside in installer_binds())
        elif (place := self._config.layers / spec.layer).is_dir():
            yield place, LAYER_AT
        else:
            raise NotFoundError("This prebuilt environment is gone.", field="image")

    async def forget(self, name: str) -> None:
        """Remove the images of a layer or dataset; returns when no container runs of them, and they are gone."""
        while not await self._are_removed({LAYER_LABEL: name}):  # noqa: ASYNC110  # the daemon tells nobody
            await asyncio.sleep(AGAIN_SECONDS)

    async def remove_orphans(self) -> None:
        """Remove what is made of layers and datasets that are no more, or upon images that are no more."""
        usual = {bare(self._config.image(language)) for language in IMAGES}
        below = {_id(image)[:_ID_DIGITS] for image in await self._found({}) if usual & tags_of(image)}
        for image in await self._found(self._owner):
            if not self._has_a_source(image, below):
                await self._remove(image)

    def _has_a_source(self, image: Mapping[str, Any], below: Collection[str]) -> bool:
        source = image["Labels"][LAYER_LABEL]
        places = self._config.layers / source, datasets.directory(self._config.state_dir) / source
        current = all(tag.rpartition("-")[2] in below for tag in tags_of(image))
        return current and (source == _FOR_BUILDS or any(place.is_dir() for place in places))

    async def _are_removed(self, labels: Mapping[str, str]) -> bool:
        """Whether these are gone; those that containers run of stay, and all while the daemon does not answer."""
        try:
            for image in await self._found(labels):
                await self._remove(image)
        except EngineError:
            return False
        return True

    async def _found(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        with answering("asked for its images"):
            wanted = {"label": [f"{name}={value}" for name, value in labels.items()]}
            found: list[dict[str, Any]] = await self._docker.images.list(filters=wanted)
        return found

    async def _remove(self, image: Mapping[str, Any]) -> None:
        with suppress(AbsentError), answering("removing an image"):
            await self._docker.images.delete(image["Id"], force=True)


def _id(image: Mapping[str, Any]) -> str:
    return str(image["Id"]).removeprefix("sha256:")


def _source(spec: SandboxSpec) -> str:
    """The name of the layer or dataset an image is made of."""
    return spec.data or (_FOR_BUILDS if spec.layer == NEW_LAYER else spec.layer)


def _write(archive: IO[bytes], dockerfile: str, files: Sequence[tuple[Path, str]], links: Mapping[str, str]) -> None:
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        text = dockerfile.encode()
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
        for place, inside in files:
            tar.add(place, f"root{inside}", filter=_plain)
        for name, target in links.items():
            link = tarfile.TarInfo(f"root/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    archive.seek(0)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
