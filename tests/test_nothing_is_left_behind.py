"""The last test of all; `conftest` puts it there."""

import time

from tests.remains import Remains, Session

SECONDS_TO_DIE = 5


def test_nothing_is_left_behind(remains: Remains, session: Session) -> None:
    end = time.monotonic() + SECONDS_TO_DIE
    while left := Remains.now(session).since(remains):
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    assert left == {}
