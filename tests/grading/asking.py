"""Gradings in few words."""

from typing import Any

from holdfast.app import App
from holdfast.types import GradeRequest, GradeResult


async def grade(app: App, code: str, *tests: dict[str, Any], **fields: Any) -> GradeResult:
    return await app.grader.grade(GradeRequest.model_validate({"code": code, "tests": list(tests), **fields}))


def value_of(variable: str, expected: Any) -> dict[str, Any]:
    return {"type": "variable_value", "variable": variable, "expected": expected}


def call_of(function: str, *args: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "function": function, "args": list(args), **fields}


def fed(stdin: str, expected: str, **fields: Any) -> dict[str, Any]:
    return {"type": "stdin", "stdin": stdin, "expected_stdout": expected, **fields}
