"""Attacks, what came of them, and how that is judged."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict, Unpack

from holdfast.engines import Exited

if TYPE_CHECKING:
    from holdfast.testing.attacks.arena import Arena

KILLED_BY_A_LIMIT = {9: "SIGKILL", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS"}
BROKEN_PROGRAM = ("SyntaxError", "NameError", "ImportError", "ModuleNotFoundError", "TypeError", "AttributeError")

LACKING = frozenset(
    [
        "ENOSYS",
        "EAFNOSUPPORT",
        "EPROTONOSUPPORT",
        "ESOCKTNOSUPPORT",
        "ENODEV",
        "ENXIO",
        "ENOENT",
        "EOPNOTSUPP",
        "ENETUNREACH",
        "EADDRNOTAVAIL",
        "EHOSTUNREACH",
        "SIGSEGV",
    ]
)
"""Answers which say that a host has no such thing, rather than that it was withheld."""

WITHHELD = frozenset({"EPERM", "EACCES"})
"""Answers which an ordinary user gets for what root may do."""


class Aim(StrEnum):
    """What an attack is after."""

    ESCAPE = "escape"
    EXHAUST = "exhaust"
    LEAK = "leak"
    NETWORK = "network"
    RESIDUE = "residue"
    LIE = "lie"


class Result(StrEnum):
    """What became of an attack."""

    CONTAINED = "contained"
    ESCAPED = "escaped"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result and the evidence for it; `refusal` is the answer the program got, such as EPERM."""

    result: Result
    reason: str
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """One finished run; output beyond the first MiB was dropped, but counted."""

    exited: Exited
    stdout: bytes
    stderr: bytes
    output_bytes: int

    def lines(self, word: str) -> list[str]:
        """What the program said after `word`, once per line."""
        lines = self.stdout.decode("utf-8", "replace").splitlines()
        return [line.removeprefix(word).strip() for line in lines if line.split(" ")[0] == word]


Deed = Callable[["Arena"], Awaitable[Outcome]]
Truth = Callable[["Arena", Ran], str | None]
"""Looks at the host itself: what shows that the attack worked, or None."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attempt. `host_may_refuse` are the answers with which a host without any sandbox may turn it down."""

    name: str
    aim: Aim
    deed: Deed
    host_may_refuse: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Report:
    """An attack and what became of it on one engine."""

    attack: Attack
    engine: str
    outcome: Outcome
    seconds: float


class Options(TypedDict, total=False):
    """How a program is run; its output is not read before `read_after` seconds."""

    stdin: bytes
    files: Mapping[str, bytes]
    artifacts: tuple[str, ...]
    returns: Mapping[str, int]
    read_after: float


class BrokenAttackError(Exception):
    """The program neither did its deed nor was refused it, so nothing is known."""


def escaped(reason: str) -> Outcome:
    """The attack worked."""
    return Outcome(Result.ESCAPED, reason)


def contained(reason: str, refusal: str | None = None) -> Outcome:
    """The attack was tried and did not work."""
    return Outcome(Result.CONTAINED, reason, refusal)


def not_applicable(reason: str) -> Outcome:
    """A probe has shown that the attack means nothing here."""
    return Outcome(Result.NOT_APPLICABLE, reason)


def judge(arena: "Arena", ran: Ran, truth: Truth | None = None) -> Outcome:
    """The host's own view first, then what the program said. Raises BrokenAttackError if there is neither."""
    evidence = truth(arena, ran) if truth else None
    if evidence:
        return escaped(evidence)
    if arena.secret.encode() in ran.stdout:
        return escaped("the program printed the secret of the host")
    if said := ran.lines("ESCAPED"):
        return escaped(said[0] or "the program says so")
    return _refused(ran)


def _refused(ran: Ran) -> Outcome:
    if not ran.lines("TRYING"):
        raise BrokenAttackError(f"the program did not get to its deed: {_end(ran)}")
    if any(error in ran.stderr.decode("utf-8", "replace") for error in BROKEN_PROGRAM):
        raise BrokenAttackError(f"the program has an error: {_end(ran)}")
    if said := ran.lines("REFUSED"):
        return contained(said[0], said[0].split(" ")[0])
    if ran.exited.reason is not None:
        return contained(f"ended by the sandbox: {ran.exited.reason}")
    name = KILLED_BY_A_LIMIT.get(ran.exited.signal or 0)
    if name is None:
        raise BrokenAttackError(f"the program said nothing: {_end(ran)}")
    return contained(f"killed by {name}", name)


def _end(ran: Ran) -> str:
    return f"{ran.exited.exit_code=} {ran.exited.signal=} {ran.stdout[-300:]!r} {ran.stderr[-600:]!r}"


def program(
    name: str,
    aim: Aim,
    code: str,
    *,
    truth: Truth | None = None,
    may_refuse: frozenset[str] = frozenset(),
    limits: Mapping[str, float] | None = None,
    **options: Unpack[Options],
) -> Attack:
    """The usual attack: one program, run once with the arena's limits but for `limits`, and judged."""

    async def deed(arena: "Arena") -> Outcome:
        return judge(arena, await arena.run(code, limits or {}, **options), truth)

    return Attack(name, aim, deed, may_refuse)
