"""The nouns of grading: a test, what became of it, and the two together for one submission."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from holdfast.types.numbers import NoBoolean, Positive
from holdfast.types.run import Frozen, RunRequest, RunResult, Status, parse_size

MAX_TESTS = 200
DEFAULT_TOLERANCE = 1e-9
BUILT_IN_TYPES = frozenset(
    {
        *("NoneType", "bool", "int", "float", "complex", "str", "bytes", "bytearray"),
        *("list", "tuple", "dict", "set", "frozenset", "range"),
        *("type", "function", "builtin_function_or_method", "generator", "module"),
    }
)
"""The types that can be told exactly; a class of the same name is none of them."""


class TestType(StrEnum):
    """What a test looks at."""

    __test__ = False

    OUTPUT = "output"
    VARIABLE_EXISTS = "variable_exists"
    VARIABLE_TYPE = "variable_type"
    VARIABLE_VALUE = "variable_value"
    FUNCTION_CALL = "function_call"
    LIST_CONTAINS = "list_contains"
    LIST_LENGTH = "list_length"
    STDIN = "stdin"


class Comparator(StrEnum):
    """How text is compared. `stripped` ignores blanks at both ends, `trimmed` those at the end of every line."""

    EXACT = "exact"
    STRIPPED = "stripped"
    TRIMMED = "trimmed"
    TOKENS = "tokens"
    FLOAT = "float"


MOST_POINTS = 1_000_000
"""Of one test, so that their sum is a number that JSON can say."""

_NEEDS = {
    TestType.OUTPUT: ("expected",),
    TestType.VARIABLE_EXISTS: ("variable",),
    TestType.VARIABLE_TYPE: ("variable", "expected_type"),
    TestType.VARIABLE_VALUE: ("variable", "expected"),
    TestType.FUNCTION_CALL: (),
    TestType.LIST_CONTAINS: ("variable", "expected"),
    TestType.LIST_LENGTH: ("variable", "expected"),
    TestType.STDIN: (),
}
_OF_STDIN = ("stdin", "expected_stdout", "checker", "mem_limit")
"""What only a test with a run of its own can have."""

_NOT_EMPTY = ("variable", "expected_type", "function")


class Checker(Frozen):
    """A program that judges what another wrote: it passes by exiting with 0.

    It finds `input.txt`, `expected.txt` and `actual.txt` in its working directory, and may print why not.
    """

    code: str
    image: str = Field(default="python", validation_alias=AliasChoices("image", "language"))


class TestCase(BaseModel):
    """One test of a submission. Which fields a `type` needs is in the guide to grading."""

    __test__ = False
    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)

    type: TestType
    description: str = ""
    variable: str | None = None
    expected: JsonValue = None
    expected_type: str | None = Field(default=None, alias="expectedType")
    function: str | None = None
    args: list[JsonValue] = Field(default_factory=list)
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    stdin: str = ""
    expected_stdout: str | None = None
    comparator: Comparator | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False), NoBoolean] = DEFAULT_TOLERANCE
    checker: Checker | None = None
    points: Annotated[float, Field(ge=0, le=MOST_POINTS, allow_inf_nan=False), NoBoolean] = 1
    hidden: bool = False
    timeout: Positive | None = None
    mem_limit: str | None = None

    @property
    def has_expected(self) -> bool:
        """Whether `expected` was given; null is a value that can be expected."""
        return "expected" in self.model_fields_set

    @field_validator("args", "kwargs", "hidden", "points", "tolerance", "description", "stdin", mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].get_default(call_default_factory=True) if value is None else value

    @field_validator("mem_limit")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        fault = next((sentence for holds, sentence in self._faults() if holds), None)
        if fault:
            raise ValueError(f"a test of type '{self.type}' {fault}")
        return self

    def _faults(self) -> list[tuple[bool, str]]:
        idle = [name for name in _OF_STDIN if self.type is not TestType.STDIN and getattr(self, name)]
        lacking = [name for name in _NEEDS[self.type] if not self._is_given(name)]
        length = self.type is TestType.LIST_LENGTH
        type_name = self.expected_type
        return [
            (bool(lacking), f"needs '{_wire(lacking[0])}'" if lacking else ""),
            (bool(idle), f"has no '{idle[0]}'; a run of its own has only one of type 'stdin'" if idle else ""),
            (
                self.type is TestType.FUNCTION_CALL and not self.function and not self.has_expected,
                "needs 'function', 'expected' or both",
            ),
            (
                self.type is TestType.STDIN and self.expected_stdout is None and self.checker is None,
                "needs 'expected_stdout' or 'checker'",
            ),
            (
                self.type is TestType.STDIN and not all(isinstance(each, str) for each in self.args),
                "needs text in 'args'",
            ),
            (length and type(self.expected) is not int, "needs a whole number as 'expected'"),
            (
                type_name is not None and type_name not in BUILT_IN_TYPES,
                f"cannot expect that type; 'expectedType' is one of {', '.join(sorted(BUILT_IN_TYPES))}",
            ),
        ]

    def _is_given(self, name: str) -> bool:
        return bool(getattr(self, name)) if name in _NOT_EMPTY else name in self.model_fields_set


def _wire(name: str) -> str:
    return TestCase.model_fields[name].alias or name


class GradeRequest(RunRequest):
    """A submission and its tests: a `RunRequest` with `tests`."""

    tests: Annotated[list[TestCase], Field(max_length=MAX_TESTS)] | None = None


class Verdict(BaseModel):
    """What became of one test. A hidden test says no more than whether it passed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    type: TestType
    passed: bool
    expected: Any = None
    actual: Any = None
    error: str | None = None
    points: float
    max_points: float
    hidden: bool = False
    status: Status | None = Field(
        default=None, description="How the run of this test ended, if it had one; of a hidden test it is not told."
    )
    execution_time: float | None = None


class GradeResult(RunResult):
    """A `RunResult` and the verdicts. `success` says that the grading was done; `allPassed` is the grade."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    success: Literal[True] = True
    test_results: tuple[Verdict, ...] = Field(alias="testResults")
    execution_time_ms: int = Field(alias="executionTimeMs")
    all_passed: bool = Field(alias="allPassed")
    points: float
    max_points: float


class VerdictEvent(Frozen):
    """A test was judged; `number` is its place among the tests, from 0. Verdicts come as they are reached."""

    type: Literal["verdict"] = "verdict"
    seq: int
    number: int
    verdict: Verdict


class GradedEvent(BaseModel):
    """The last event of a grading."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    type: Literal["graded"] = "graded"
    seq: int
    result: GradeResult


GradeEvent = Annotated[VerdictEvent | GradedEvent, Field(discriminator="type")]
