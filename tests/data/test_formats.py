"""What files become: the tables, and what is told of how they were read."""

import json
from typing import Any

import pytest

from holdfast.errors import IngestFailedError, InvalidFieldError
from holdfast.types import Dataset, FileReport, IngestReport
from tests.data.conftest import Shelf, said

pytestmark = pytest.mark.anyio

_MAKE = """
import sys, pandas, datetime
frame = pandas.DataFrame({"id": [1, 2], "name": ["a", None], "when": pandas.to_datetime(["2026-01-01", "2026-02-01"])})
frame.to_parquet("p.parquet")
with pandas.ExcelWriter("e.xlsx") as book:
    frame.to_excel(book, sheet_name="First One", index=False)
    pandas.DataFrame({"code": ["007", "008"], "mixed": [1, "x"]}).to_excel(book, sheet_name="second", index=False)
    pandas.DataFrame().to_excel(book, sheet_name="empty")
"""


async def read(shelf: Shelf, file_name: str, data: bytes, **wish: Any) -> tuple[FileReport, Dataset]:
    """The report of a file that is one table."""
    report = await shelf.add({file_name: data}, **wish)
    assert report.dataset is not None
    [file] = report.files
    return file, report.dataset


async def refused(shelf: Shelf, name: str, data: bytes, **wish: Any) -> IngestReport:
    before = shelf.directories
    with pytest.raises(IngestFailedError) as caught:
        await shelf.add({name: data}, **wish)
    assert shelf.directories == before, "nothing is half registered"
    return IngestReport.model_validate(caught.value.report)


def types(file: FileReport) -> dict[str, str]:
    return {column.name: column.type for column in file.columns}


async def test_columns_of_a_csv_have_the_types_of_their_values(shelf: Shelf) -> None:
    text = b'id,day,price,ok,name\n1,2026-01-31,1.5,true,"a, ""b"""\n2,,,false,\n'
    file, dataset = await read(shelf, "Sales 2026.csv", text, name="Sales")
    assert types(file) == {"id": "BIGINT", "day": "DATE", "price": "DOUBLE", "ok": "BOOLEAN", "name": "VARCHAR"}
    assert {column.name for column in file.columns if column.nullable} == {"day", "price", "name"}
    assert (file.table, file.rows, file.encoding, file.delimiter) == ("sales_2026", 2, "utf-8", ",")
    assert file.sample_rows[0] == {"id": "1", "day": "2026-01-31", "price": "1.5", "ok": "True", "name": 'a, "b"'}
    assert (dataset.id, dataset.tables[0].row_count) == ("sales", 2)
    rows = await shelf.ask(dataset.digest, "SELECT id, name FROM sales_2026 ORDER BY id")
    assert rows == [[1, 'a, "b"'], [2, None]]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("cp1252", "cp1252"),
    ],
)
async def test_the_encoding_of_a_file_is_found_out(shelf: Shelf, encoding: str, told: str) -> None:
    file, dataset = await read(shelf, "words.csv", "word,n\nZürich “5 €”,1\n".encode(encoding))
    assert file.encoding == told
    assert await shelf.ask(dataset.digest, "FROM words") == [["Zürich “5 €”", 1]]


@pytest.mark.parametrize(
    ("delimiter", "ending"), [(",", "csv"), (";", "csv"), ("|", "txt"), ("\t", "csv"), ("\t", "tsv")]
)
async def test_the_delimiter_of_a_file_is_found_out(shelf: Shelf, delimiter: str, ending: str) -> None:
    text = f"a{delimiter}b\n1{delimiter}x\n2{delimiter}y\n"
    file, _ = await read(shelf, f"t.{ending}", text.encode())
    assert (file.delimiter, types(file)) == (delimiter, {"a": "BIGINT", "b": "VARCHAR"})


async def test_names_are_told_from_values_in_the_first_line(shelf: Shelf) -> None:
    file, _ = await read(shelf, "t.csv", b"first,second\na,b\nc,d\n")
    assert (list(types(file)), file.rows) == (["first", "second"], 2)
    file, _ = await read(shelf, "t.csv", b"1,2\n3,4\n")
    assert (list(types(file)), file.rows) == (["column0", "column1"], 2)
    assert file.notes != ()


async def test_a_value_that_fits_no_type_makes_its_column_text_and_is_told_and_no_row_is_lost(shelf: Shelf) -> None:
    lines = "".join(f"{number},{number}\n" for number in range(250_000))
    file, dataset = await read(shelf, "t.csv", f"id,n\n{lines}250000,n/a\n".encode())
    assert (types(file), file.rows) == ({"id": "BIGINT", "n": "VARCHAR"}, 250_001)
    [conflict] = file.conflicts
    assert (conflict.column, conflict.note) == ("n", "1 of 250,001 values are not numbers, such as 'n/a'")
    assert await shelf.ask(dataset.digest, "SELECT count(*) FROM t WHERE n = 'n/a'") == [[1]]


NUMBERS = [
    ("a;b\n1,5;x\n-2,25;y\n;z\n1.234,50;w\n", [1.5, -2.25, None, 1234.5], "DOUBLE", "a decimal comma"),
    ("a;b\n0,125;x\n3;y\n", [0.125, 3], "DOUBLE", "a decimal comma"),
    ('a,b\n"1,234.50",x\n7,y\n', [1234.5, 7], "DOUBLE", "commas between thousands"),
    ('a,b\n"1,234,567",x\n', [1234567], "DOUBLE", "commas between thousands"),
    ('a,b\n"1,234",x\n', ["1,234"], "VARCHAR", ""),
    ("a;b\n1,234;x\n", ["1,234"], "VARCHAR", ""),
    ("a;b\n1,5;x\nn/a;y\n", ["1,5", "n/a"], "VARCHAR", ""),
    ("a;b\n1,2,3;x\n", ["1,2,3"], "VARCHAR", ""),
    ('a,b\n"1,5",x\n', ["1,5"], "VARCHAR", "or like lists: it was left as text"),
]


@pytest.mark.parametrize(("text", "values", "kind", "told"), NUMBERS)
async def test_numbers_are_read_as_people_write_them_where_they_can_be_nothing_else(
    shelf: Shelf, text: str, values: list[Any], kind: str, told: str
) -> None:
    report, dataset = await read(shelf, "a.csv", text.encode())
    assert report.columns[0].type == kind
    assert [row[0] for row in await shelf.ask(dataset.digest, "SELECT a FROM a")] == values
    assert told in " ".join(report.notes) and bool(told) == bool(report.notes)


async def test_lines_that_are_no_rows_are_told_by_number_and_nothing_is_registered(shelf: Shelf) -> None:
    report = await refused(shelf, "t.csv", b'a,b,c\n1,2,3\n1,2\n1,2,3,4\n5,6,7\n"x,2,3\n')
    [file] = report.files
    assert report.dataset is None
    assert [(line.line, line.reason) for line in file.rejected[:2]] == [(3, "too few columns"), (4, "too many columns")]
    assert file.rejected_lines == 3
    assert "line 3 of t.csv: too few columns" in report.error


async def test_lines_that_are_no_rows_are_left_out_when_asked_for_and_told(shelf: Shelf) -> None:
    rows = "".join(f"{number},2,3\n" for number in range(100))
    file, dataset = await read(shelf, "t.csv", f"a,b,c\n{rows}1,2\n100,2,3\n".encode(), skip_rejected=True)
    assert (file.rows, file.rejected_lines, file.rejected[0].line) == (101, 1, 102)
    assert await shelf.ask(dataset.digest, "SELECT count(*), max(a) FROM t") == [[101, 100]]


async def test_json_lines_are_rows_and_those_that_are_none_are_told(shelf: Shelf) -> None:
    file, dataset = await read(shelf, "j.jsonl", b'{"a": 1, "b": {"c": [1, 2]}}\n\n{"a": 2}\n')
    assert (types(file), file.rows) == ({"a": "BIGINT", "b": "STRUCT(c BIGINT[])"}, 2)
    assert await shelf.ask(dataset.digest, "SELECT b.c[2] FROM j WHERE a = 1") == [[2]]
    report = await refused(shelf, "j.jsonl", b'{"a": 1}\n{"a": 2\n[3]\n')
    assert [line.line for line in report.files[0].rejected] == [2, 3]
    file, _ = await read(shelf, "j.jsonl", b'{"a": 1}\n{"a": 2\n[3]\n', skip_rejected=True)
    assert (file.rows, file.rejected_lines) == (1, 2)
    file, _ = await read(shelf, "j.json", json.dumps([{"a": 1}, {"a": "x"}]).encode())
    assert (file.rows, [conflict.column for conflict in file.conflicts]) == (2, ["a"])


async def test_parquet_and_excel_keep_their_types_and_each_sheet_is_a_table(shelf: Shelf) -> None:
    async with shelf.app.executor.sandbox(shelf.spec("")) as sandbox:
        code, text = await said(sandbox, "python", "main.py", files={"main.py": _MAKE.encode()})
        assert code == 0, text
        made = {name: await sandbox.read(name, max_bytes=1 << 20) for name in ("p.parquet", "e.xlsx")}
    report = await shelf.add(made)
    tables = {file.table: file for file in report.files}
    expected = {"id": "BIGINT", "name": "VARCHAR", "when": "TIMESTAMP"}
    assert set(tables) == {"p", "e_first_one", "e_second"}
    assert types(tables["p"]) == types(tables["e_first_one"]) == expected
    assert types(tables["e_second"]) == {"code": "VARCHAR", "mixed": "VARCHAR"}
    assert tables["e_second"].sample_rows[0] == {"code": "007", "mixed": "1"}


async def test_several_files_are_several_tables_also_when_their_names_are_alike(shelf: Shelf) -> None:
    report = await shelf.add({"a.csv": b"x\n1\n", "A.tsv": b"x\n2\n", "1 b.csv": b"x\n3\n", "data.csv": b"x\n4\n"})
    assert [file.table for file in report.files] == ["a", "a_2", "t_1_b", "data_2"]


async def test_the_same_files_have_the_same_digest_and_others_have_another(shelf: Shelf) -> None:
    one = (await shelf.add({"a.csv": b"x\n1\n"})).dataset
    again = (await shelf.add({"a.csv": b"x\n1\n"}, name="Another")).dataset
    other = (await shelf.add({"a.csv": b"x\n2\n"})).dataset
    assert one is not None and again is not None and other is not None
    assert one.digest == again.digest != other.digest
    assert len({one.id, again.id, other.id}) == 3


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.csv", b"", "empty"),
        ("t.jsonl", b"", "empty"),
        ("t.xlsx", b"no workbook", "not an Excel workbook"),
        ("t.parquet", b"PAR1xxxxxxxxPAR1", "t.parquet"),
        ("t.csv", bytes(range(256)) * 200, "t.csv"),
        ("t.jsonl", b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n", "nested too deep"),
        ("t.csv", b"a,b\n" + b"x" * (20 << 20) + b",1\n", "t.csv"),
    ],
)
async def test_a_broken_file_is_refused_with_a_report_and_nothing_is_registered(
    shelf: Shelf, name: str, data: bytes, says: str
) -> None:
    report = await refused(shelf, name, data)
    assert says in report.error
    assert [file.file for file in report.files] == [name]


async def test_names_in_files_are_names_and_never_statements(shelf: Shelf) -> None:
    file, dataset = await read(shelf, "x'); DROP TABLE x.csv", b'a""b"\',"c\'); --"\n1,2\n')
    assert file.rows == 1
    column = '"' + file.columns[0].name.replace('"', '""') + '"'
    assert await shelf.ask(dataset.digest, f"SELECT {column} FROM {file.table}") == [[1]]


@pytest.mark.parametrize("name", ["a.xls", "a.exe", "csv", ".csv", "a", "a.csv.gz"])
async def test_a_file_whose_ending_is_not_known_is_refused_before_it_is_sent(shelf: Shelf, name: str) -> None:
    with pytest.raises(InvalidFieldError, match="the endings that can"):
        await shelf.add({name: b"x\n1\n"})
