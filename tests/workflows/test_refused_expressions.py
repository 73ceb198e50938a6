"""Expressions that mean nothing, or may not be said where they are, are refused with the reason."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.agents.workflow.expressions import ExpressionError, Scope, check, evaluate, parse, template

MALFORMED = [
    ("", "is empty"),
    ("  ", "is empty"),
    ("1 +", "unexpected '+'"),
    ("a b", "unexpected 'b'"),
    ("(1", "ends too early"),
    ("1)", "unexpected ')'"),
    ("'open", 'unexpected "\'open"'),
    ('"double"', "unexpected '\"double\"'"),
    ("a.", "ends too early"),
    ("a.1", "unexpected '1'"),
    ("a[", "ends too early"),
    ("a[]", "unexpected ']'"),
    ("== 1", "unexpected '=='"),
    ("1 = 1", "unexpected '= 1'"),
    ("a & b", "unexpected '& b'"),
    ("1abc", "is no number"),
    ("1-2", "is no number"),
    ("0x", "is no number"),
    ("contains('a', )", "unexpected ')'"),
    ("contains(", "ends too early"),
    ("!" * 60 + "true", "nested more than 50 deep"),
    ("(" * 60 + "1" + ")" * 60, "nested more than 50 deep"),
    ("a" + ".b" * 60, "more than 50 times"),
    ("1" + "||1" * 300, "more than 250 operators"),
    ("1 " * 20_000, "longer than 21,000"),
]


@pytest.mark.parametrize(
    ("text", "reason"), MALFORMED, ids=[reason + str(n) for n, (_, reason) in enumerate(MALFORMED)]
)
def test_a_malformed_expression_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(text)
    assert reason in str(raised.value)


FORBIDDEN = [
    ("unknown.thing", "there is no 'unknown' here; there are github, secrets"),
    ("TRUE", "there is no 'true' here"),
    ("nonsense()", "there is no function 'nonsense' here"),
    ("hashFiles('a')", "there is no function 'hashfiles' here"),
    ("contains('a')", "'contains' takes 2 arguments, not 1"),
    ("join()", "'join' takes at least 1 arguments, not 0"),
    ("toJSON(secrets)", "write secrets.NAME"),
    ("secrets", "write secrets.NAME"),
    ("secrets.*", "write secrets.NAME"),
    ("secrets[github.ref]", "write secrets.NAME"),
    ("github[secrets]", "write secrets.NAME"),
]


@pytest.mark.parametrize(("text", "reason"), FORBIDDEN, ids=[text for text, _ in FORBIDDEN])
def test_an_expression_speaks_only_of_what_there_is_in_its_place(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        check(parse(text), frozenset({"github", "secrets"}), frozenset({"success"}))
    assert reason in str(raised.value)


FAILING = [
    ("fromJSON('{')", "what is no JSON"),
    ("fromJSON('" + "[" * 20_000 + "')", "what is no JSON"),
    ("format('{0} {1}', 'a')", "no argument for {1}"),
    ("format('{')", "single '{'"),
    ("format('a}b')", "single"),
    ("format('{99999}')", "single"),
]


@pytest.mark.parametrize(("text", "reason"), FAILING, ids=[reason + str(n) for n, (_, reason) in enumerate(FAILING)])
def test_what_cannot_be_evaluated_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        evaluate(parse(text), Scope({}))
    assert reason in str(raised.value)


def test_values_cannot_be_made_as_large_as_somebody_likes() -> None:
    text = "'0123456789'"
    for _ in range(30):
        text = f"format('{{0}}{{0}}', {text})"
    with pytest.raises(ExpressionError, match="longer than"):
        evaluate(parse(text), Scope({}))


@pytest.mark.parametrize("text", ["${{ 1", "${{ 'a }}", "x ${{ }}", "${{ 1 }} ${{"])
def test_text_with_a_malformed_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        template(text)


@given(st.text(alphabet="abc.[]()'!=<>&|*, 01${}", max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: evaluate(parse(text), Scope({})),
        lambda: template(text).value(Scope({})),
    )
    for attempt in attempts:
        try:
            attempt()
        except (ExpressionError, KeyError) as error:
            assert isinstance(error, ExpressionError) or "(" in text
