"""Blocks of host ids have one owner each."""

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.engines.local import ids
from holdfast.errors import HostError

CLAIMED = "from holdfast.engines.local import ids; held = ids._claim(2, 0); print(held[0], flush=True); input()"


def test_a_block_of_another_process_is_passed_over_until_it_ends() -> None:
    argv = [sys.executable, "-c", CLAIMED]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        taken = int(other.stdout.readline())
        block, claim = ids._claim(2, taken)
        with claim:
            assert block != taken
            with pytest.raises(HostError, match="blocks of ids for sandboxes are taken"):
                ids._claim(2, 0)
        other.kill()
    block, claim = ids._claim(2, taken)
    claim.close()
    assert block == taken


def test_an_ordinary_user_gets_a_part_of_its_subordinate_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65_533)
    monkeypatch.setattr(ids, "_own_ranges", lambda: (100_000, 65_536, 200_000, 65_536))
    held = [ids.HostIds.claimed(tmp_path) for _ in range(65_536 // ids.IDS_PER_BLOCK)]
    try:
        starts = {each.subordinate[0] for each in held if each.subordinate}
        assert starts == set(range(100_000, 165_536, ids.IDS_PER_BLOCK))
        with pytest.raises(HostError, match="subordinate ids"):
            ids.HostIds.claimed(tmp_path)
    finally:
        for each in held:
            each.close()


def test_a_user_with_few_ids_has_one_block_of_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65_533)
    monkeypatch.setattr(ids, "_own_ranges", lambda: (100_000, 500, 200_000, 700))
    only = ids.HostIds.claimed(tmp_path)
    assert only.subordinate == (100_000, 500, 200_000, 500)
    only.close()
