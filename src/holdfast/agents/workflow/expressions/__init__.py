"""The expression language of GitHub Actions: what stands between `${{` and `}}`."""

from holdfast.agents.workflow.expressions.evaluating import Scope, check, evaluate, speaks_of
from holdfast.agents.workflow.expressions.functions import STATUS_FUNCTIONS
from holdfast.agents.workflow.expressions.syntax import Node, parse
from holdfast.agents.workflow.expressions.templates import OPEN, Template, template
from holdfast.agents.workflow.expressions.values import (
    ExpressionError,
    Value,
    equal,
    fold,
    is_true,
    number_of,
    text_of,
)

__all__ = [
    "OPEN",
    "STATUS_FUNCTIONS",
    "ExpressionError",
    "Node",
    "Scope",
    "Template",
    "Value",
    "check",
    "equal",
    "evaluate",
    "fold",
    "is_true",
    "number_of",
    "parse",
    "speaks_of",
    "template",
    "text_of",
]
