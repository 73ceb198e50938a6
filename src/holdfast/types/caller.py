"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `owner` is the digest of their key; who `sees_all` is the operator, or has a key of scope `admin`."""

    owner: str | None = None
    sees_all: bool = True

    @property
    def only(self) -> str | None:
        """The only owner whose things are seen; `None` is all."""
        return None if self.sees_all else self.owner


OPERATOR = Caller()
