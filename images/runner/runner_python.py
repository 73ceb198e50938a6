"""The stdin program for Python in the runner image: a RunnerRequest on stdin, a RunnerResponse on stdout."""

import sys
from pathlib import Path

# Beside the program, or where the images of languages have it.
sys.path[:1] = [str(Path(__file__).resolve().parent / "lib"), "/opt/holdfast/lib"]

from holdfast.guest.data import container  # noqa: E402

if __name__ == "__main__":
    sys.exit(container.run("python"))
