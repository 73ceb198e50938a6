"""One program of the corpus, and how a theme of them is written down.

A theme is a text file: what it is about, then programs. Each begins with `# === name`, may go on with headers
(`# stdin:`, `# args:`, `# artifacts:`, each a Python literal), and continues with main.py and, after `# --- name`,
other files.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_HEADER = re.compile(r"# (stdin|args|artifacts): (.*)\n")
_FILE = re.compile(r"^# --- (.*)\n", re.MULTILINE)
_PACKAGES = re.compile(r"\b(numpy|pandas|duckdb|pyarrow|matplotlib)\b")


@dataclass(frozen=True, slots=True)
class Program:
    """A deterministic program; `name` is a sentence. It prints no addresses, times, or process ids."""

    name: str
    code: str | bytes
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    stdin: bytes = b""
    args: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()

    @property
    def uses_packages(self) -> bool:
        """Whether it needs a package that takes most of a second to load."""
        return isinstance(self.code, str) and bool(_PACKAGES.search(self.code))

    def all_files(self) -> dict[str, bytes]:
        """Everything to place in the workspace."""
        files = {**self.files, "main.py": self.code}
        return {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}


def read_theme(path: Path) -> Iterator[Program]:
    """The programs of one text file."""
    for part in path.read_text().split("\n# === ")[1:]:
        name, _, rest = part.partition("\n")
        headers = {}
        while header := _HEADER.match(rest):
            headers[header[1]] = ast.literal_eval(header[2])
            rest = rest[header.end() :]
        code, *others = _FILE.split(rest)
        yield Program(name, code, dict(zip(others[::2], others[1::2], strict=True)), **headers)
