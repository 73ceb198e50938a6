"""Asking a finished program: the run that looks at its variables, and the run that calls its functions.

Questions go in, descriptions come out, as files; what is expected stays here. Questions are asked in a second run of
the program, whose output nobody is shown, so that a program cannot tell what it was asked.
"""

import base64
import marshal
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pydantic import TypeAdapter

from holdfast.errors import TooLargeError
from holdfast.grading.values import Seen, decode, text_of
from holdfast.types import Artifact, File, RunRequest, RunResult

MAX_QUESTION_BYTES = 192 << 10
MAX_DESCRIPTION_BYTES = 6 << 20
MAX_DESCRIPTION_PARTS = 150_000
"""What a description may cost us: somewhat more than an honest one ever comes to."""

_UNREADABLE = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What taking something apart raises that is not what it should be."""

_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_GUEST = resources.files("holdfast.guest")
_SOURCE = "".join((_GUEST / name).read_text("utf-8") for name in ("grade.py", "surroundings.py"))
_COMPILED = marshal.dumps(compile(_SOURCE, "<holdfast>", "exec", dont_inherit=True))
_MAIN = """\
import marshal, sys
with open({name!r}, "rb") as file:
    version, compiled, source, token, asked = marshal.load(file)
exec(marshal.loads(compiled) if version == sys.version else compile(source, "<holdfast>", "exec"))
run(token, asked)
"""
"""The main.py we send. To compile what it needs would take longer than most programs run."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a variable holds or, with arguments, what a function of that name answers."""

    name: str
    arguments: tuple[Sequence[Any], Mapping[str, Any]] | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question: a value, or the reason why there is none."""

    value: Seen | None = None
    printed: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A run of a submission that says afterwards what became of it. `request` is what to run."""

    request: RunRequest
    token: str

    @classmethod
    def of(cls, request: RunRequest, questions: Sequence[Question] | None = None) -> "Inspection":
        """Look at all variables or, with questions, answer them. Raises TooLargeError."""
        token = f"holdfast_{secrets.token_hex(8)}"
        asked = None if questions is None else _packed(questions)
        ours = marshal.dumps((sys.version, _COMPILED, _SOURCE, token, asked), 4)
        files = {f"{token}.py": request.code or "", token: File(base64=base64.b64encode(ours).decode())}
        changes = {
            "code": _MAIN.format(name=token),
            "files": {**request.files, **files},
            "artifacts": [*request.artifacts, f"{token}.*"],
        }
        return cls(request.model_copy(update=changes), token)

    def without_ours(self, result: RunResult) -> RunResult:
        """The result as the submission's own: without the files that are ours."""
        theirs = tuple(artifact for artifact in result.artifacts if not artifact.path.startswith(self.token))
        notes = tuple(note for note in result.notes if self.token not in note)
        return result.model_copy(update={"artifacts": theirs, "notes": notes})

    def variables(self, result: RunResult) -> Mapping[str, Seen] | None:
        """The variables of the finished program, `None` when it did not come to say."""
        try:
            tree = self._read(result, "report")
            return None if tree is None else {text_of(name): decode(description) for name, description in tree}
        except _UNREADABLE:
            return None

    def answer(self, result: RunResult, number: int) -> Answer:
        """What a run with questions answered to one of them."""
        try:
            tree = self._read(result, str(number))
            return self._unanswered(result, number) if tree is None else _answer(tree)
        except _UNREADABLE:
            return Answer(reason="The answer was not readable.")

    def _unanswered(self, result: RunResult, number: int) -> Answer:
        late = self._read(result, f"{number}.late") is not None
        if any(note.startswith(f"Artifact {self.token}.{number} ") for note in result.notes):
            return Answer(reason="The answers are together too large.")
        return Answer(reason="It took longer than its time limit." if late else "It ended without an answer.")

    def _read(self, result: RunResult, ending: str) -> Any:
        found = _find(result.artifacts, f"{self.token}.{ending}")
        if found is None or found.size_bytes > MAX_DESCRIPTION_BYTES:
            return None
        text = found.content()
        return None if text.count(b"[") > MAX_DESCRIPTION_PARTS else _JSON.validate_json(text)


def _packed(questions: Sequence[Question]) -> bytes:
    packed = marshal.dumps([(each.name, each.arguments, each.seconds) for each in questions], 4)
    if len(packed) > MAX_QUESTION_BYTES:
        raise TooLargeError(
            f"The arguments of all tests are together above {MAX_QUESTION_BYTES:,} bytes.", field="tests"
        )
    return packed


def _find(artifacts: Sequence[Artifact], path: str) -> Artifact | None:
    return next((artifact for artifact in artifacts if artifact.path == path), None)


def _answer(tree: dict[str, Any]) -> Answer:
    if "missing" in tree:
        return Answer(reason="There is nothing of that name.")
    if "raised" in tree:
        return Answer(reason=f"It raised {text_of(tree['raised'])[:300]}.")
    printed = bytes.fromhex(tree.get("printed", "")).decode("utf-8", "replace")
    return Answer(value=decode(tree["value"]), printed=printed)
