"""`python -m tests.parts 2`: all tests, with so many sessions of pytest side by side.

Most tests wait for processes, so that two sessions use two processors better than one does. Each session has a part:
the tests of some folders, and its own look at what is left behind; when it is over, the next part begins. The output
of a part is shown when it is over, and that of the parts that failed again at the end.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
LAST = "test_nothing_is_left_behind.py"
SECONDS = {"attacks": 600, "api": 500, "docker": 400, "contract": 250, "e2e": 200, "faults": 150, "local": 150}
SECONDS |= {"runner": 120, "prebuilds": 120, "sessions": 120, "unit": 120, "data_runs": 100, "tasks": 100}
"""What folders take, roughly; only their order matters. One that is not named is a short one."""

SHORT = 60
PARTS_PER_SESSION = 4
"""More of them even out what was guessed wrong; each costs the seconds that a session needs to begin."""

POLL_SECONDS = 1.0
NO_TESTS = 5
"""What pytest answers where everything was deselected."""


@dataclass
class Part:
    """Folders of one session."""

    folders: list[str] = field(default_factory=list)
    seconds: int = 0
    output: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def take(self, folder: str) -> None:
        """One more."""
        self.folders.append(folder)
        self.seconds += SECONDS.get(folder, SHORT)

    def start(self, more: list[str]) -> "subprocess.Popen[bytes]":
        """Begin its session."""
        places = [f"tests/{name}" for name in (*sorted(self.folders), LAST)]
        command = [sys.executable, "-m", "pytest", *more, *places]
        return subprocess.Popen(command, cwd=HERE.parent, stdout=self.output, stderr=subprocess.STDOUT)

    def show(self) -> None:
        """What it has said so far."""
        self.output.seek(0)
        sys.stdout.buffer.write(self.output.read())
        sys.stdout.flush()


def divided(count: int) -> list[Part]:
    """Every folder with tests in one of so many parts, the longest first and always to the shortest part."""
    folders = [path.name for path in HERE.iterdir() if path.is_dir() and next(path.rglob("test_*.py"), None)]
    parts = [Part() for _ in range(count)]
    for folder in sorted(folders, key=lambda name: (-SECONDS.get(name, SHORT), name)):
        min(parts, key=lambda part: part.seconds).take(folder)
    return parts


def main() -> int:
    """0 when all parts pass."""
    count, more = int(sys.argv[1]), sys.argv[2:]
    began, failed = time.monotonic(), list[Part]()
    waiting = sorted(divided(count * PARTS_PER_SESSION), key=lambda part: part.seconds)
    running: dict[subprocess.Popen[bytes], Part] = {}
    try:
        while waiting or running:
            while waiting and len(running) < count:
                part = waiting.pop()
                running[part.start(more)] = part
            time.sleep(POLL_SECONDS)
            for session in [session for session in running if session.poll() is not None]:
                part = running.pop(session)
                print(f"== {', '.join(sorted(part.folders))}: {time.monotonic() - began:.0f} s", flush=True)
                part.show()
                if session.returncode not in (0, NO_TESTS):
                    failed.append(part)
    finally:
        for session in running:
            session.terminate()
            session.wait()
    for part in failed:
        part.show()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
