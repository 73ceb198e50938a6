"""What a program writes: capped by bytes, decoded as it arrives, and dropped beyond the cap."""

import codecs

FLOOD_FACTOR = 64
"""A program that writes this many times its output limit into one stream is ended."""


class Capture:
    """One output stream. Keeps at most `cap` bytes as text; bytes that are not UTF-8 are replaced."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._written = 0
        self._text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def truncated(self) -> bool:
        """Whether something was dropped."""
        return self._written > self._cap

    @property
    def flooded(self) -> bool:
        """Whether the program wrote so much more than the cap that it must be ended."""
        return self._written > FLOOD_FACTOR * self._cap

    @property
    def text(self) -> str:
        """Everything kept so far."""
        return self._text

    def feed(self, data: bytes) -> str:
        """Take bytes as they come; returns the new text, never half of a character."""
        room = self._cap - self._written
        self._written += len(data)
        return self._keep(self._decoder.decode(data[:room])) if room > 0 else ""

    def finish(self) -> str:
        """The last text: a character the program left unfinished is replaced, one that the cap cut is dropped."""
        return "" if self.truncated else self._keep(self._decoder.decode(b"", final=True))

    def _keep(self, text: str) -> str:
        # A string that only a local name refers to grows in place; pieces would have to be joined, which doubles them.
        kept, self._text = self._text, ""
        kept += text
        self._text = kept
        return text
