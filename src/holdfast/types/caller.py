"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `owner` is the digest of their key; who `sees_all` is the operator, or has a key of scope `admin`."""

    owner: str | None = None
    sees_all: bool = True


OPERATOR = Caller()
