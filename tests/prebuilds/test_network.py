"""Builds with a network, in the small internet of `world`: for builds alone, and to public addresses only."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from holdfast.errors import BuildFailedError, UnsupportedError
from tests.conftest import lacks
from tests.local import world
from tests.prebuilds.conftest import Workshop, opened

pytestmark = pytest.mark.anyio

CALL = "python -c 'import socket, sys; print(socket.create_connection((sys.argv[1], 80), 5).recv(9).decode())' {}"


@pytest.fixture
def internet() -> Iterator[None]:
    missing = [tool for tool in ("slirp4netns", "nft", "ip") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        lacks("network", f"a small internet needs root and {', '.join(missing) or 'nothing else'}")
    with world.small_internet():
        yield


@pytest.fixture
async def workshop(internet: None, anyio_backend: str, tmp_path: Path) -> AsyncIterator[Workshop]:
    certificates = tmp_path / "own.pem"
    certificates.write_text("the operator's certificates\n")
    settings = {"prebuild_index_url": "http://index.test/simple", "prebuild_ca": certificates}
    async with opened(tmp_path, prebuild_network="on", **settings) as made:
        yield made


async def test_a_build_reaches_public_addresses_and_a_run_reaches_nothing(workshop: Workshop) -> None:
    await workshop.build("online", f"{CALL.format(world.PUBLIC)} > file", base_image="bash")
    assert (await workshop.run("cat /opt/holdfast/layer/file", "online")).stdout == "internet\n"
    for place in (world.PRIVATE, world.METADATA, world.HOST_PRIVATE, world.HOST_LOOPBACK):
        with pytest.raises(BuildFailedError):
            await workshop.build("inward", CALL.format(place))
    with pytest.raises(UnsupportedError):
        await workshop.run("print(1)", "online", allow_network=True)
    with pytest.raises(BuildFailedError):
        await workshop.build("offline", CALL.format(world.PUBLIC), allow_network=False)


async def test_a_build_is_told_the_index_and_the_certificates_of_the_settings(workshop: Workshop) -> None:
    script = 'echo "$PIP_INDEX_URL" > file; cat "$PIP_CERT" "$SSL_CERT_FILE" "$NODE_EXTRA_CA_CERTS" >> file'
    await workshop.build("told", script, base_image="bash")
    expected = "http://index.test/simple\n" + "the operator's certificates\n" * 3
    assert (await workshop.run("cat /opt/holdfast/layer/file", "told")).stdout == expected
