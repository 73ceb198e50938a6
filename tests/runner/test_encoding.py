"""Values survive their way through JSON: with the type of the column, every one can be told again."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runner.conftest import InGuest, encoded

VALUES: list[tuple[str, str, Any]] = [
    ("true", "BOOLEAN", True),
    ("-128", "TINYINT", -128),
    ("255", "UTINYINT", 255),
    ("-32768", "SMALLINT", -32768),
    ("65535", "USMALLINT", 65535),
    ("-2147483648", "INTEGER", -2147483648),
    ("4294967295", "UINTEGER", 4294967295),
    ("9007199254740991", "BIGINT", 9007199254740991),
    ("9007199254740992", "BIGINT", "9007199254740992"),
    ("-9223372036854775808", "BIGINT", "-9223372036854775808"),
    ("18446744073709551615", "UBIGINT", "18446744073709551615"),
    ("170141183460469231731687303715884105727", "HUGEINT", "170141183460469231731687303715884105727"),
    ("340282366920938463463374607431768211455", "UHUGEINT", "340282366920938463463374607431768211455"),
    ("'12'", "BIGNUM", 12),
    ("'123456789012345678901234567890123456789012345'", "BIGNUM", "123456789012345678901234567890123456789012345"),
    ("0.1", "FLOAT", 0.10000000149011612),
    ("1e308", "DOUBLE", 1e308),
    ("1", "DOUBLE", 1.0),
    ("1.50", "DECIMAL(10,2)", "1.50"),
    ("0.0000000001", "DECIMAL(38,10)", "0.0000000001"),
    ("'ä€😀\n'", "VARCHAR", "ä€😀\n"),
    ("'\\x00\\xFFab'", "BLOB", "AP9hYg=="),
    ("'10101'", "BIT", "10101"),
    ("'2024-01-02'", "DATE", "2024-01-02"),
    ("'infinity'", "DATE", "infinity"),
    ("'5000-01-01 (BC)'", "DATE", "5000-01-01 (BC)"),
    ("'24:00:00'", "TIME", "24:00:00"),
    ("'12:34:56.000001'", "TIME", "12:34:56.000001"),
    ("'12:34:56.123456789'", "TIME_NS", "12:34:56.123456789"),
    ("'12:34:56+05:30'", "TIMETZ", "12:34:56+05:30"),
    ("'2024-01-02 03:04:05.123456'", "TIMESTAMP", "2024-01-02 03:04:05.123456"),
    ("'-infinity'", "TIMESTAMP", "-infinity"),
    ("'290000-01-01 00:00:00'", "TIMESTAMP", "290000-01-01 00:00:00"),
    ("'2024-01-02 03:04:05'", "TIMESTAMP_S", "2024-01-02 03:04:05"),
    ("'2024-01-02 03:04:05.123'", "TIMESTAMP_MS", "2024-01-02 03:04:05.123"),
    ("'2024-01-02 03:04:05.123456789'", "TIMESTAMP_NS", "2024-01-02 03:04:05.123456789"),
    ("'2024-01-02 03:04:05+02'", "TIMESTAMPTZ", "2024-01-02 01:04:05+00"),
    ("'1 month 2 days 3.5 seconds'", "INTERVAL", "1 month 2 days 00:00:03.5"),
    ("'5d220d85-748b-4dbd-922e-22cc75f5966a'", "UUID", "5d220d85-748b-4dbd-922e-22cc75f5966a"),
    ("'b'", "ENUM('a', 'b')", "b"),
    ("""'{"a": 1}'""", "JSON", '{"a": 1}'),
    ("[1, NULL, 3]", "INTEGER[]", [1, None, 3]),
    ("[[1.5], [], NULL]", "DECIMAL(3,1)[][]", [["1.5"], [], None]),
    ("[1, 2, 3]", "BIGINT[3]", [1, 2, 3]),
    ("{'a': 1, 'b c': [INTERVAL 1 MONTH]}", 'STRUCT(a INTEGER, "b c" INTERVAL[])', {"a": 1, "b c": ["1 month"]}),
    ("NULL", "STRUCT(a DATE)", None),
    ("{'a': NULL}", "STRUCT(a DATE)", {"a": None}),
    ("row(1, DATE '2024-01-02')", "TUPLE(INTEGER, DATE)", [1, "2024-01-02"]),
    ("MAP {'a': 1, 'b': NULL}", "MAP(VARCHAR, INTEGER)", [["a", 1], ["b", None]]),
    ("MAP {[1]: {'q': DATE 'infinity'}}", "MAP(INTEGER[], STRUCT(q DATE))", [[[1], {"q": "infinity"}]]),
    ("union_value(n := 2)", "UNION(n INTEGER, s VARCHAR)", {"n": 2}),
    ("[union_value(s := 'x')]", "UNION(n INTEGER, s VARCHAR)[]", [{"s": "x"}]),
    ("NULL", "HUGEINT", None),
]


@pytest.mark.parametrize(("expression", "kind", "expected"), VALUES, ids=[f"{e} {k}" for e, k, _ in VALUES])
def test_a_value_looks_as_the_guide_says_and_can_be_told_again(
    in_guest: InGuest, expression: str, kind: str, expected: Any
) -> None:
    (found,) = encoded(in_guest, (expression, kind))
    assert found["json"] == expected
    assert type(found["json"]) is type(expected)
    assert found["same"]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT"])
def test_what_json_has_no_number_for_is_null(in_guest: InGuest, text: str, kind: str) -> None:
    (found, nested) = encoded(in_guest, (f"'{text}'", kind), (f"['{text}'::{kind}]", f"{kind}[]"))
    assert (found["json"], nested["json"]) == (None, [None])


def test_a_variant_is_the_json_it_is(in_guest: InGuest) -> None:
    (found,) = encoded(in_guest, ("{'a': [1, 2], 'b': 'x'}::VARIANT", "VARIANT"))
    assert (found["json"], found["type"]) == ({"a": [1, 2], "b": "x"}, "VARIANT")


QUOTES = {ord("'"): "''"}
LEAVES = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(lambda n: (f"'{n}'", "BIGINT")),
    st.integers(-(2**127), 2**127 - 1).map(lambda n: (f"'{n}'", "HUGEINT")),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda n: (f"'{n!r}'", "DOUBLE")),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda n: (f"'{n!r}'", "FLOAT")),
    st.decimals(-(10**20), 10**20, places=9).map(lambda n: (f"'{n:f}'", "DECIMAL(38,9)")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20).map(
        lambda s: (f"'{s.translate(QUOTES)}'", "VARCHAR")
    ),
    st.binary(max_size=20).map(lambda b: (f"from_hex('{b.hex()}')", "BLOB")),
    st.dates().map(lambda d: (f"'{d}'", "DATE")),
    st.times().map(lambda t: (f"'{t}'", "TIME")),
    st.datetimes().map(lambda t: (f"'{t}'", "TIMESTAMP")),
    st.tuples(st.integers(-1000, 1000), st.integers(-40, 40), st.integers(-(10**11), 10**11)).map(
        lambda i: (f"to_months({i[0]}) + to_days({i[1]}) + to_microseconds({i[2]})", "INTERVAL")
    ),
    st.uuids().map(lambda u: (f"'{u}'", "UUID")),
    st.booleans().map(lambda b: (str(b), "BOOLEAN")),
    st.sampled_from(["BIGINT", "DATE", "BLOB", "UUID", "INTERVAL"]).map(lambda kind: ("NULL", kind)),
)


def nested(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    cast = inner.map(lambda v: (f"({v[0]})::{v[1]}", v[1]))
    return st.one_of(
        cast.map(lambda v: (f"[{v[0]}, NULL, {v[0]}]", f"{v[1]}[]")),
        cast.map(lambda v: (f"[{v[0]}, {v[0]}]", f"{v[1]}[2]")),
        st.tuples(cast, cast).map(
            lambda p: (f"{{'a': {p[0][0]}, 'b''\"c': {p[1][0]}}}", f'STRUCT(a {p[0][1]}, "b\'""c" {p[1][1]})')
        ),
        cast.map(lambda v: (f"MAP {{'k': {v[0]}}}", f"MAP(VARCHAR, {v[1]})")),
        cast.map(lambda v: (f"union_value(u := {v[0]})", f"UNION(u {v[1]}, other VARCHAR)")),
        st.tuples(cast, cast).map(lambda p: (f"row({p[0][0]}, {p[1][0]})", f"TUPLE({p[0][1]}, {p[1][1]})")),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=st.lists(st.recursive(LEAVES, nested, max_leaves=6), min_size=10, max_size=40))
def test_any_value_of_any_type_can_be_told_from_its_json(in_guest: InGuest, batch: list[tuple[str, str]]) -> None:
    found = encoded(in_guest, *batch)
    assert [(value, each["json"]) for value, each in zip(batch, found, strict=True) if not each["same"]] == []


def column(dtype: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, list[str]]]:
    return st.lists(values, min_size=4, max_size=4).map(lambda texts: (dtype, texts))


def texts(values: st.SearchStrategy[Any], form: str = "{!r}") -> st.SearchStrategy[str]:
    return st.one_of(values.map(form.format), st.just("None"))


NAIVE = st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1))
COLUMNS = st.one_of(
    *(
        column(
            f"{sign}int{bits}", st.integers(0 if sign else -(2 ** (bits - 1)), 2 ** (bits - (not sign)) - 1).map(str)
        )
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    ),
    column("Int64", texts(st.integers(-(2**63), 2**63 - 1))),
    column("float64", st.floats().map(repr)),
    column("float32", st.floats(width=32).map(repr)),
    column("bool", st.booleans().map(repr)),
    column("boolean", texts(st.booleans())),
    column("str", texts(st.text(st.characters(exclude_categories=["Cs"]), max_size=10))),
    column("category", texts(st.text(st.characters(exclude_categories=["Cs"]), max_size=3))),
    column("object", texts(st.integers(-(2**200), 2**200))),
    column("object", texts(st.text(st.characters(exclude_categories=["Cs"]), max_size=10))),
    column("object", texts(st.decimals(allow_nan=False, allow_infinity=False), "decimal.Decimal('{}')")),
    column("object", texts(st.dates(), "datetime.date.fromisoformat('{}')")),
    column("object", texts(st.times(), "datetime.time.fromisoformat('{}')")),
    column("object", texts(st.binary(max_size=9))),
    column("object", texts(st.uuids(), "uuid.UUID('{}')")),
    column("datetime64[us]", texts(NAIVE, "pd.Timestamp('{}')")),
    column("datetime64[ns]", texts(NAIVE, "pd.Timestamp('{}') + pd.Timedelta(7, 'ns')")),
    column("datetime64[us, Europe/Berlin]", texts(NAIVE, "pd.Timestamp('{}', tz='UTC')")),
    column(
        "timedelta64[us]",
        texts(
            st.timedeltas(), "pd.Timedelta(microseconds={0.microseconds}, seconds={0.seconds}, days={0.days} % 10000)"
        ),
    ),
    column("object", texts(st.lists(st.integers(-9, 9), max_size=3))),
    column("object", texts(st.dictionaries(st.text("ab", max_size=2), st.integers(-9, 9), max_size=2))),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(columns=st.lists(COLUMNS, min_size=1, max_size=5))
def test_any_frame_survives_encoding(in_guest: InGuest, columns: list[tuple[str, list[str]]]) -> None:
    answer = in_guest.ask(frame={f"c{number}": given for number, given in enumerate(columns)})
    assert answer.get("bad") == [], answer
    assert answer["total"]
    json.dumps(answer, allow_nan=False)


def test_integers_stay_integers_beside_other_numbers(in_guest: InGuest) -> None:
    answer = in_guest.ask(frame={"id": ["int64", ["1", str(2**60 + 1)]], "x": ["float64", ["0.5", "nan"]]})
    assert answer["rows"] == [[1, 0.5], ["1152921504606846977", None]]
    assert answer["types"] == ["BIGINT", "DOUBLE"]
    assert isinstance(answer["rows"][0][0], int)
