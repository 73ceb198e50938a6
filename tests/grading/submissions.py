"""Submissions kept as files: a sentence on the first line, tests of their own in YAML below it, then the program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Submission:
    name: str
    code: str
    tests: list[dict[str, Any]]


def load(folder: str) -> list[Submission]:
    """All of a folder; those without tests of their own have only the tests of the folder, which all have."""
    shared = HERE / folder / "tests.yaml"
    common = yaml.safe_load(shared.read_text()) if shared.exists() else []
    return [_submission(path, common) for path in sorted((HERE / folder).glob("*.py"))]


def _submission(path: Path, common: list[dict[str, Any]]) -> Submission:
    code = path.read_text()
    lines = [line.removeprefix("# ") for line in code.splitlines()[1:] if line.startswith("# ")]
    own = yaml.safe_load("\n".join(line for line in lines if line.startswith("- {"))) or []
    return Submission(path.stem, code, [*own, *common])
