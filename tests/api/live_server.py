"""The real server program around the engine without isolation: `python live_server.py STATE_DIR [SETTING=VALUE]...`."""

import sys
from contextlib import aclosing
from pathlib import Path

from holdfast.app import assemble
from holdfast.cli import in_loop
from holdfast.cli.serving import answer, bound
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics, configure_logging
from holdfast.testing.tasks import small_handlers
from holdfast.testing.unisolated import UnisolatedEngine


async def main(state_dir: Path, overrides: dict[str, str]) -> None:
    settings = load_settings({"state_dir": state_dir, "port": 0, **overrides}, environ={}, directory=state_dir)
    configure_logging("error", "json")
    async with aclosing(UnisolatedEngine()) as engine:
        app = assemble(settings, engine, {"python": "3", "bash": "5"}, Metrics(), small_handlers)
        async with app.store.open(), app.sessions.open(), app.datasets.open(), app.data.open(), app.tasks.open():
            await answer(app, bound(settings.host, settings.port))


if __name__ == "__main__":
    in_loop(main(Path(sys.argv[1]), dict(pair.split("=", 1) for pair in sys.argv[2:])))
