"""Expressions mean what GitHub's documentation says they mean."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.agents.workflow.expressions import Scope, evaluate, parse, template, text_of

CONTEXTS: dict[str, Any] = {
    "github": {
        "ref": "refs/heads/main",
        "event_name": "push",
        "event": {
            "issue": {"labels": [{"name": "bug"}, {"name": "Help Wanted"}, {"colour": "red"}]},
            "fork": False,
            "count": 0,
        },
    },
    "env": {"GREETING": "Hello", "Path": "/usr/bin", "NUMBER": "42", "EMPTY": ""},
    "matrix": {"os": "linux", "version": 3.11, "node": 20, "experimental": True, "nothing": None},
    "needs": {
        "build": {"result": "success", "outputs": {"version": "1.2.3"}},
        "lint": {"result": "failure", "outputs": {}},
    },
    "steps": {"one": {"outputs": {"list": '["a","b"]', "flag": "true"}, "outcome": "success"}},
    "fruits": [
        {"name": "apple", "quantity": 1, "tags": ["red", "round"]},
        {"name": "orange", "quantity": 2, "tags": ["round"]},
        {"name": "pear", "quantity": 1},
    ],
    "vegetables": {
        "scallions": {"colors": ["green", "white"], "uses": {"soup": 1, "salad": 2}},
        "beets": {"colors": ["purple"]},
    },
    "secrets": {"TOKEN": "abc"},
}
NAN = object()

CASES: list[tuple[str, Any]] = [
    # literals
    ("null", None),
    ("true", True),
    ("false", False),
    ("711", 711),
    ("-9.2", -9.2),
    ("0xff", 255),
    ("0xFF", 255),
    ("0o17", 15),
    ("-2.99e-2", -0.0299),
    ("2.99E2", 299),
    (".5", 0.5),
    ("+.5", 0.5),
    ("+1", 1),
    ("1.", 1),
    ("NaN", NAN),
    ("Infinity", math.inf),
    ("-Infinity", -math.inf),
    ("'Mona the Octocat'", "Mona the Octocat"),
    ("'It''s open source!'", "It's open source!"),
    ("''", ""),
    ("''''", "'"),
    ("'}}'", "}}"),
    ("'\"double\"'", '"double"'),
    # grouping and precedence
    ("(true)", True),
    ("((1))", 1),
    ("!true", False),
    ("!false", True),
    ("!!'x'", True),
    ("! null", True),
    ("!(1 == 1)", False),
    ("!true == false", True),
    ("true || false && false", True),
    ("(true || false) && false", False),
    ("1 == 1 && 2 == 2", True),
    ("1 < 2 == true", True),
    ("1 < 2 == 3 > 2", True),
    ("1 == 2 || 3 == 3", True),
    ("false || false || 'third'", "third"),
    ("true && true && 'third'", "third"),
    # and, or give one of their values
    ("'a' && 'b'", "b"),
    ("'' && 'b'", ""),
    ("'a' || 'b'", "a"),
    ("'' || 'b'", "b"),
    ("0 || 'zero'", "zero"),
    ("null || 'nothing'", "nothing"),
    ("false && 'x' || 'y'", "y"),
    ("true && 'x' || 'y'", "x"),
    ("true && '' || 'y'", "y"),
    ("NaN || 'number'", "number"),
    ("null && 1", None),
    ("0 && 1", 0),
    ("matrix.nothing || 'default'", "default"),
    # truth
    ("!0", True),
    ("!-0", True),
    ("!1", False),
    ("!''", True),
    ("!'0'", False),
    ("!'false'", False),
    ("!NaN", True),
    ("!github", False),
    ("!fruits", False),
    # equality
    ("1 == 1.0", True),
    ("'a' == 'A'", True),
    ("'a' == 'b'", False),
    ("'a' != 'b'", True),
    ("'é' == 'É'", True),
    ("'ß' == 'SS'", False),
    ("null == null", True),
    ("null == 0", True),
    ("null == ''", True),
    ("null == false", True),
    ("null == 'null'", False),
    ("true == 1", True),
    ("true == '1'", True),
    ("true == 'true'", False),
    ("false == ''", True),
    ("false == 0", True),
    ("'' == 0", True),
    ("' ' == 0", True),
    ("'1' == 1", True),
    ("' 1 ' == 1", True),
    ("'1.0' == 1", True),
    ("'1e2' == 100", True),
    ("'0x10' == 16", True),
    ("'0o10' == 8", True),
    ("'abc' == 0", False),
    ("'abc' != 0", True),
    ("'Infinity' == Infinity", True),
    ("NaN == NaN", False),
    ("NaN != NaN", True),
    ("'NaN' == NaN", False),
    ("fruits == fruits", True),
    ("github == github", True),
    ("fruits == vegetables", False),
    ("fromJSON('[1]') == fromJSON('[1]')", False),
    ("fruits == 'Array'", False),
    ("github != null", True),
    # order
    ("1 < 2", True),
    ("2 <= 2", True),
    ("3 > 2", True),
    ("2 >= 3", False),
    ("'a' < 'B'", True),
    ("'b' > 'A'", True),
    ("'a' >= 'A'", True),
    ("'10' < '9'", True),
    ("'10' < 9", False),
    ("'10' > 9", True),
    ("null < 1", True),
    ("null >= 0", True),
    ("true > false", True),
    ("true >= 1", True),
    ("'abc' < 1", False),
    ("'abc' > 1", False),
    ("'abc' >= 1", False),
    ("NaN < 1", False),
    ("NaN >= NaN", False),
    ("fruits < 1", False),
    ("fruits >= fruits", True),
    ("-Infinity < 0", True),
    # contexts
    ("github.ref", "refs/heads/main"),
    ("GitHub.REF", "refs/heads/main"),
    ("github['ref']", "refs/heads/main"),
    ("github [ 'event_name' ]", "push"),
    ("github . event_name", "push"),
    ("github.missing", None),
    ("github.missing.deeper.still", None),
    ("github.ref.length", None),
    ("github.event.fork", False),
    ("github.event.issue.labels[0].name", "bug"),
    ("github.event.issue.labels[1]['NAME']", "Help Wanted"),
    ("env.GREETING", "Hello"),
    ("env.path", "/usr/bin"),
    ("env[format('{0}', 'NUMBER')]", "42"),
    ("env.NUMBER == 42", True),
    ("matrix.version", 3.11),
    ("matrix.experimental == true", True),
    ("needs.build.outputs.version", "1.2.3"),
    ("needs['build'].result == 'SUCCESS'", True),
    ("steps.one.outputs.flag == 'true'", True),
    ("steps.one.outputs.flag == true", False),
    ("fruits[0].name", "apple"),
    ("fruits['1'].name", "orange"),
    ("fruits[1.9].name", "orange"),
    ("fruits[null].name", "apple"),
    ("fruits[true].name", "orange"),
    ("fruits[-1]", None),
    ("fruits[3]", None),
    ("fruits['name']", None),
    ("fruits[NaN]", None),
    ('fromJSON(\'{"1": "one"}\')[1]', "one"),
    ("fromJSON('{\"true\": 1}').true", 1),
    ("fromJSON('{\"null\": 2}').null", 2),
    ("secrets.TOKEN", "abc"),
    ("secrets.ABSENT", None),
    # filters
    ("fruits.*.name", ["apple", "orange", "pear"]),
    ("fruits[*].name", ["apple", "orange", "pear"]),
    ("fruits.*.tags", [["red", "round"], ["round"]]),
    ("fruits.*.tags.*", ["red", "round", "round"]),
    ("fruits.*.tags[0]", ["red", "round"]),
    ("fruits.*.absent", []),
    ("fruits[0].*", ["apple", 1, ["red", "round"]]),
    ("vegetables.*.colors", [["green", "white"], ["purple"]]),
    ("vegetables.*.colors.*", ["green", "white", "purple"]),
    ("vegetables.*.uses.soup", [1]),
    ("github.event.issue.labels.*.name", ["bug", "Help Wanted"]),
    ("github.ref.*", []),
    ("null.*", []),
    ("needs.*.result", ["success", "failure"]),
    ("contains(needs.*.result, 'failure')", True),
    ("join(fruits.*.quantity, '-')", "1-2-1"),
    # functions
    ("contains('Hello world', 'llo')", True),
    ("contains('Hello world', 'LLO')", True),
    ("contains('Hello', '')", True),
    ("contains('abc', 'd')", False),
    ("contains(github.event.issue.labels.*.name, 'bug')", True),
    ("contains(github.event.issue.labels.*.name, 'help wanted')", True),
    ("contains(github.event.issue.labels.*.name, 'bu')", False),
    ("contains(fromJSON('[1, 2]'), '2')", True),
    ('contains(fromJSON(\'["push", "pull_request"]\'), github.event_name)', True),
    ("contains(1234, 23)", True),
    ("contains(true, 'ru')", True),
    ("contains(null, '')", True),
    ("contains(github, 'ref')", False),
    ("contains('x', fruits)", False),
    ("CONTAINS('a', 'a')", True),
    ("startsWith('Hello world', 'He')", True),
    ("startsWith('Hello world', 'he')", True),
    ("startsWith('Hello', 'lo')", False),
    ("startsWith(1234, '12')", True),
    ("startsWith('a', null)", True),
    ("startsWith(fruits, 'A')", False),
    ("endsWith('Hello world', 'ld')", True),
    ("endsWith('Hello world', 'LD')", True),
    ("endsWith('Hello', 'He')", False),
    ("format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')", "Hello Mona the Octocat"),
    ("format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')", "{Hello Mona the Octocat!}"),
    ("format('{0}{0}', 'a')", "aa"),
    ("format('{1}{0}', 'a', 'b')", "ba"),
    ("format('no placeholder')", "no placeholder"),
    ("format('{0}', null)", ""),
    ("format('{0} {1} {2}', true, 1.5, fruits)", "true 1.5 Array"),
    ("format('{{0}}', 'a')", "{0}"),
    ("format('{0}', '{0}')", "{0}"),
    ("join(fromJSON('[\"bug\", \"help wanted\"]'), ', ')", "bug, help wanted"),
    ("join(fromJSON('[1, true, null]'))", "1,true,"),
    ("join('text', '-')", "text"),
    ("join(fromJSON('[]'), '-')", ""),
    ("join(github, '-')", ""),
    ("toJSON(null)", "null"),
    ("toJSON(true)", "true"),
    ("toJSON(1)", "1"),
    ("toJSON(1.5)", "1.5"),
    ("toJSON('a\"b')", '"a\\"b"'),
    ("toJSON(fromJSON('{\"a\":[1,{}]}'))", '{\n  "a": [\n    1,\n    {}\n  ]\n}'),
    ("fromJSON('true')", True),
    ("fromJSON('1.5')", 1.5),
    ("fromJSON('\"text\"')", "text"),
    ("fromJSON('null')", None),
    ("fromJSON('[1, 2]')[1]", 2),
    ('fromJSON(\'{"a": {"b": 3}}\').a.b', 3),
    ("fromJSON(steps.one.outputs.list)[1]", "b"),
    ("fromJSON(toJSON(fruits)).*.name", ["apple", "orange", "pear"]),
    ("fromJSON(env.NUMBER) == 42", True),
]


def test_there_are_at_least_as_many_cases_as_were_promised() -> None:
    assert len({text for text, _ in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_an_expression_means_what_the_documentation_says(text: str, expected: Any) -> None:
    value = evaluate(parse(text), Scope(CONTEXTS))
    if expected is NAN:
        assert isinstance(value, float) and math.isnan(value)
        return
    assert value == expected
    assert isinstance(value, bool) == isinstance(expected, bool)


AS_TEXT: list[tuple[Any, str]] = [
    (None, ""),
    (True, "true"),
    (0.0, "0"),
    (-0.0, "0"),
    (20, "20"),
    (3.11, "3.11"),
    (1e15, "1E+15"),
    (123456789012345, "123456789012345"),
    (1e-5, "1E-05"),
    (0.1 + 0.2, "0.3"),
    (math.nan, "NaN"),
    (-math.inf, "-Infinity"),
    ([1], "Array"),
    ({}, "Object"),
]


@pytest.mark.parametrize(("value", "expected"), AS_TEXT)
def test_a_value_becomes_text(value: Any, expected: str) -> None:
    assert text_of(value) == expected


TEMPLATES = [
    ("plain", "plain"),
    ("${{ 1 }}", 1.0),
    ("${{ github.ref }}", "refs/heads/main"),
    ("a ${{ 1 }} b ${{ 'x' }}", "a 1 b x"),
    ("${{ 1 }}${{ 2 }}", "12"),
    (" ${{ true }}", " true"),
    ("${{ '}}' }}", "}}"),
    ("${{ 'it''s }}' }}!", "it's }}!"),
    ("$ {{ 1 }}", "$ {{ 1 }}"),
    ("{{ 1 }} }}", "{{ 1 }} }}"),
    ("${{ null }}x", "x"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), TEMPLATES, ids=[text for text, _ in TEMPLATES])
def test_expressions_stand_in_text(text: str, expected: Any) -> None:
    assert template(text).value(Scope(CONTEXTS)) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=10),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_a_value_survives_to_json_and_back(value: Any) -> None:
    scope = Scope({"value": value})
    assert evaluate(parse("fromJSON(toJSON(value))"), scope) == value
    assert json.loads(evaluate(parse("toJSON(value)"), scope)) == value


@given(st.text(max_size=40))
def test_any_text_can_be_written_as_a_literal(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert evaluate(parse(quoted), Scope({})) == text
    assert template("${{ " + quoted + " }}").value(Scope({})) == text


@given(json_values, json_values)
def test_comparisons_agree_with_each_other(left: Any, right: Any) -> None:
    scope = Scope({"a": left, "b": right})

    def said(text: str) -> Any:
        return evaluate(parse(text), scope)

    assert said("a == b") == said("b == a") == (not said("a != b"))
    assert said("a < b") == said("b > a")
    assert said("a <= b") == (said("a < b") or said("a == b"))
    assert not (said("a < b") and said("a > b"))
