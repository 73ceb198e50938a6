"""The product on this host, with prebuilt environments of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import App
from holdfast.settings import load_settings
from holdfast.types import OPERATOR, Prebuild, PrebuildRequest, RunRequest, RunResult
from tests.conftest import local_app


class Workshop:
    """An application, and short ways to build and to run as its operator."""

    def __init__(self, app: App) -> None:
        self.app = app

    @property
    def layers(self) -> Path:
        return self.app.settings.state_dir / "prebuilds" / "layers"

    def found(self) -> list[str]:
        """Everything where layers are kept, finished or not."""
        return sorted(path.name for path in self.layers.glob("*"))

    async def build(self, tag: str, script: str, **given: Any) -> Prebuild:
        return await self.app.prebuilds.build(PrebuildRequest(tag=tag, setup_script=script, **given), OPERATOR)

    async def run(self, code: str, image: str, **given: Any) -> RunResult:
        request = RunRequest.model_validate({"code": code, "image": image, **given})
        async with self.app.prebuilds.using(request, OPERATOR) as placed:
            return await self.app.executor.run(placed)


@asynccontextmanager
async def opened(folder: Path, **overrides: Any) -> AsyncIterator[Workshop]:
    usual = load_settings()
    here = {"state_dir": folder, "guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with local_app(**{**here, "pool_size": 0, **overrides}) as app, app.prebuilds.open():
        yield Workshop(app)


@pytest.fixture
async def workshop(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Workshop]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
async def workshop_with(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """One with other settings: `workshop = await workshop_with(prebuild_count=1)`."""
    async with AsyncExitStack() as stack:

        async def make(**overrides: Any) -> Workshop:
            return await stack.enter_async_context(opened(tmp_path, **overrides))

        yield make
