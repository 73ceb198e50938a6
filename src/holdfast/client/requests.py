"""From what a caller writes to a request, and from a request to the bytes that are sent."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from holdfast.errors import InvalidFieldError
from holdfast.types import File, GradeRequest, RunRequest, TestCase
from holdfast.types.invalid import from_validation

M = TypeVar("M", bound=BaseModel)
Program = str | RunRequest | None
"""The code, or a whole request; nothing when `files` or `entrypoint` say what to run."""

Tests = Sequence[TestCase | dict[str, Any]]


def run_request(program: Program, fields: Mapping[str, Any]) -> RunRequest:
    """What to run; `fields` win over those of a request. Raises InvalidFieldError."""
    given = {**_fields_of(program), **fields}
    graded = isinstance(program, GradeRequest) or "tests" in given
    return valid(GradeRequest if graded else RunRequest, given)


def grade_request(program: Program, tests: Tests | None, fields: Mapping[str, Any]) -> GradeRequest:
    """A submission with its tests, which may be those of a request. Raises InvalidFieldError."""
    request = valid(
        GradeRequest, {**_fields_of(program), **fields, **({} if tests is None else {"tests": list(tests)})}
    )
    if request.tests is None:
        raise InvalidFieldError("tests: there is nothing to grade.", field="tests")
    return request


def valid(kind: type[M], fields: Mapping[str, Any]) -> M:
    """The fields as a noun; contents of `files` may be bytes. Raises InvalidFieldError."""
    given = dict(fields)
    if isinstance(given.get("files"), Mapping):
        given["files"] = {name: _file(content) for name, content in given["files"].items()}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise from_validation(error) from None


def body_of(request: BaseModel) -> bytes:
    """The JSON of a request, without what was left to the server. Raises InvalidFieldError."""
    body = request.model_dump(mode="json", exclude_defaults=True, exclude={"tests"})
    if isinstance(request, GradeRequest) and request.tests is not None:
        # In a test, null is a value that can be expected: what was set counts, not what differs from the default.
        body["tests"] = [test.model_dump(mode="json", by_alias=True, exclude_unset=True) for test in request.tests]
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidFieldError("The request holds half of a surrogate pair, which no text can carry.") from None


def _fields_of(program: Program) -> dict[str, Any]:
    if isinstance(program, RunRequest):
        fields = type(program).model_fields
        return {name: value for name, value in program if value != fields[name].get_default(call_default_factory=True)}
    return {} if program is None else {"code": program}


def _file(content: Any) -> Any:
    return File(base64=base64.b64encode(content).decode()) if isinstance(content, bytes) else content
