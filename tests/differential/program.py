"""One program of the corpus: what goes in. What comes out must not depend on how its interpreter was started."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Program:
    """A deterministic program; `name` is a sentence. It prints no addresses, times, or process ids."""

    name: str
    code: str | bytes
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    stdin: bytes = b""
    args: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()

    def all_files(self) -> dict[str, bytes]:
        """Everything to place in the workspace."""
        files = {**self.files, "main.py": self.code}
        return {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
