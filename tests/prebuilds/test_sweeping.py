"""Whoever sweeps while others make layers takes nothing of theirs away."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from holdfast.prebuilds.store import PrebuildStore, Record

MADE = 300


def test_a_layer_that_is_being_made_is_not_swept_away(tmp_path: Path) -> None:
    store = PrebuildStore(tmp_path)
    over = threading.Event()

    def sweep() -> None:
        while not over.is_set():
            store.sweep()

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for number in range(MADE):
            with store.fresh() as fresh:
                (fresh.directory / "file").write_text("")
                store.publish(fresh, _record(f"t{number % 3}", fresh.name))
            assert (store.layers / fresh.name / "file").exists()
    finally:
        over.set()
        for sweeper in sweepers:
            sweeper.join()


def _record(tag: str, layer: str) -> Record:
    return Record(
        tag=tag,
        base_image="python",
        owner=None,
        shared=False,
        layer=layer,
        size_bytes=0,
        script_sha256="",
        created=datetime.now(UTC),
        python="3.11",
    )
