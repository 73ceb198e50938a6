"""The API of PyQuest's runner below `/pyquest`: a client of it works with `http://host:8000/pyquest` as its base URL.

It is the grading of `POST /run` with the limits, the trimming and the error bodies of that runner.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.api.runs import answer
from holdfast.app import App
from holdfast.errors import InvalidFieldError, MalformedRequestError, OverCeilingError, TooLargeError
from holdfast.types import MAX_TESTS, GradeRequest, GradeResult, Status, TestCase
from holdfast.types.numbers import Positive

PREFIX = "/pyquest"
MAX_CODE_BYTES = 102_400
MAX_DATASET_FILES = 5
MAX_DATASET_BYTES = 128 << 10
SECONDS = 2.0
OUTPUT_BYTES = 1 << 20
_KNOWN = {field.alias or name for name, field in TestCase.model_fields.items()}
_LATE = "Error: Execution timeout (2 seconds exceeded)"


class DatasetFile(BaseModel):
    """A file to place beside main.py."""

    name: str
    content: str


class Dataset(BaseModel):
    """Files to place beside main.py."""

    files: Annotated[list[DatasetFile], Field(max_length=MAX_DATASET_FILES)] = Field(default_factory=list)


class PyQuestRequest(BaseModel):
    """The body of that runner; other fields are ignored, as they were."""

    code: str | None = None
    tests: Annotated[list[TestCase], Field(max_length=MAX_TESTS)] = Field(default_factory=list)
    dataset: Dataset | None = None
    timeout: Positive | None = None

    @field_validator("tests", mode="before")
    @classmethod
    def _only_what_we_know(cls, value: object) -> object:
        """Null is no tests, and a test may have fields that mean nothing here, as that runner never minded."""
        if not isinstance(value, list):
            return [] if value is None else value
        return [
            {name: each[name] for name in _KNOWN & each.keys()} if isinstance(each, dict) else each for each in value
        ]


class PyQuestHealth(BaseModel):
    """The health of that runner, word for word."""

    status: Literal["healthy"] = "healthy"
    service: Literal["pyquest-runner"] = "pyquest-runner"
    version: Literal["1.0.0"] = "1.0.0"


async def run(request: Request) -> Response:
    """Grade a Python submission within the limits of PyQuest: 2 s, 1 MB of output, 100 KB of code."""
    return await answer(request, PyQuestRequest.model_validate_json, _grade)


async def health(request: Request) -> Response:
    """What PyQuest's runner says of itself."""
    return JSONResponse(PyQuestHealth().model_dump())


async def _grade(app: App, wanted: PyQuestRequest) -> GradeResult:
    result = await app.grader.grade(_translated(wanted))
    late = [_LATE] if result.status is Status.TIMED_OUT else []
    stderr = "\n".join(filter(None, [result.stderr.strip(), *late]))
    return result.model_copy(update={"stdout": result.stdout.strip(), "stderr": stderr})


def _translated(wanted: PyQuestRequest) -> GradeRequest:
    """The request as our own. Raises MalformedRequestError, TooLargeError, OverCeilingError."""
    if not wanted.code:
        raise MalformedRequestError("No code provided.", field="code")
    if len(wanted.code.encode("utf-8", "surrogatepass")) > MAX_CODE_BYTES:
        raise TooLargeError(f"Code exceeds maximum size ({MAX_CODE_BYTES} bytes).", field="code")
    if wanted.timeout is not None and wanted.timeout > SECONDS:
        raise OverCeilingError(f"'timeout' is above the {SECONDS:g} s of this route; use POST /run.", field="timeout")
    return GradeRequest.model_construct(
        code=wanted.code,
        tests=wanted.tests,
        files={**_files(wanted.dataset)},
        timeout=wanted.timeout or SECONDS,
        max_output_bytes=OUTPUT_BYTES,
    )


def _files(dataset: Dataset | None) -> dict[str, str]:
    files = {file.name: file.content for file in dataset.files} if dataset else {}
    if dataset and len(files) < len(dataset.files):
        raise InvalidFieldError("Two files of the dataset have one name.", field="dataset")
    if sum(len(content.encode("utf-8", "surrogatepass")) for content in files.values()) > MAX_DATASET_BYTES:
        raise TooLargeError(f"The dataset is larger than {MAX_DATASET_BYTES:,} bytes.", field="dataset")
    return files
