"""Files that were made to hurt whoever reads them. Each is a report or a table, in time, and the server lives."""

import io
import struct
import zipfile
from collections.abc import Callable

import pytest

from holdfast.errors import IngestFailedError
from tests.data.conftest import Shelf, said

pytestmark = pytest.mark.anyio

_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"""
_RELATIONS = """<?xml version="1.0"?><Relationships
 xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Target="%s"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s"/></Relationships>"""
_BOOK = """<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>
<sheet name="s" sheetId="1" r:id="rId1"/></sheets></workbook>"""
_SHEET = (
    b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1"/><sheetData>"""
)
_FIRST = b'<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c></row>'
_END = b"</sheetData></worksheet>"


def workbook(sheet: bytes, before: bytes = b"") -> bytes:
    """An Excel file with this one sheet."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS % ("xl/workbook.xml", "officeDocument"))
        archive.writestr("xl/workbook.xml", _BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", _RELATIONS % ("worksheets/sheet1.xml", "worksheet"))
        archive.writestr("xl/worksheets/sheet1.xml", before + _SHEET + sheet + _END)
    return made.getvalue()


def cells(*values: str) -> bytes:
    """Rows with one cell each, of this XML."""
    rows = (f'<row r="{number}"><c r="A{number}" {value}</c></row>' for number, value in enumerate(values, 2))
    return _FIRST + "".join(rows).encode()


BILLION_LAUGHS = b"<!DOCTYPE x [<!ENTITY a0 'ha'>" + b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 12)
)
FOREIGN = b'<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/hostname">]>'


def bomb(unpacked: int) -> bytes:
    """A workbook with a part that is nothing but spaces."""
    made = io.BytesIO(workbook(cells("><v>1</v>")))
    with (
        zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(unpacked >> 24):
            part.write(b" " * (1 << 24))
    return made.getvalue()


def crowded(parts: int) -> bytes:
    """A workbook with so many more parts."""
    made = io.BytesIO(workbook(cells("><v>1</v>")))
    with zipfile.ZipFile(made, "a") as archive:
        for number in range(parts):
            archive.writestr(f"x/{number}", b"")
    return made.getvalue()


def repeated(sheets: int) -> bytes:
    """A workbook that names its one sheet so many times."""
    once = '<sheet name="s" sheetId="1" r:id="rId1"/>'
    many = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="rId1"/>' for n in range(1, sheets + 1))
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(cells("><v>1</v>")))) as one, zipfile.ZipFile(made, "w") as archive:
        for name in one.namelist():
            archive.writestr(name, one.read(name).replace(once.encode(), many.encode()))
    return made.getvalue()


def row(cell: bytes, count: int) -> bytes:
    return b",".join([cell] * count) + b"\n"


UTF16 = "a,b\n1,ü\n".encode("utf-16")
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a workbook of entities that grow": (
        "t.xlsx",
        lambda: workbook(cells('t="inlineStr"><is><t>&a11;</t></is>'), BILLION_LAUGHS + b"]>"),
        "not an Excel workbook",
    ),
    "a workbook of more rows than Excel has": (
        "t.xlsx",
        lambda: workbook(_FIRST + b"<row><c><v>1</v></c></row>" * (1 << 20)),
        "1,048,576 rows or more",
    ),
    "a workbook of rows without an end": ("t.xlsx", lambda: workbook(_FIRST + b"<row><c><v>1"), "not an Excel"),
    "a workbook that is a piece of one": ("t.xlsx", lambda: workbook(b"")[:200], "not an Excel workbook"),
    "a workbook that unpacks to gigabytes": ("t.xlsx", lambda: bomb(1100 << 20), "unpacks to 1.1 GiB"),
    "a workbook of thousands of parts": ("t.xlsx", lambda: crowded(20_000), "20,005 parts"),
    "a workbook that repeats a sheet": ("t.xlsx", lambda: repeated(3_000), "3,000 sheets"),
    "a sheet of too many columns": (
        "t.xlsx",
        lambda: workbook(_FIRST + b'<row r="2"><c r="XFD2"><v>1</v></c></row>'),
        "16,384 columns",
    ),
    "a sheet of too many columns, which is known before its end": (
        "t.xlsx",
        lambda: workbook(
            b'<row r="1">' + b'<c t="inlineStr"><is><t>n</t></is></c>' * 3_000 + b"</row>" + b" " * 500_000 + b"<row>"
        ),
        "3,000 columns",
    ),
    "a first line of 100,000 columns": ("t.csv", lambda: row(b"c", 100_000) + row(b"1", 100_000), "100,000 columns"),
    "a later line of 100,000 columns": ("t.csv", lambda: b"a,b\n1,2\n" + row(b"1", 100_000), "line 3 has 100,000"),
    "a name of 5,000 characters": ("t.csv", lambda: b"a" * 5_000 + b",b\n1,2\n", "5,000 characters long"),
    "a NUL byte in a name": ("t.csv", lambda: b"a\0,b\n1,2\n", "the name of column 1 has a NUL byte"),
    "bytes of any kind": ("t.csv", lambda: bytes(n * n * 31 % 251 for n in range(5_000)), "this is no text"),
    "nothing but NUL bytes": ("t.csv", lambda: bytes(1 << 20), "this is no text"),
    "bytes of a program": ("t.csv", lambda: bytes(range(256)) * 1_000, "this is no text"),
    "nothing but a mark of its encoding": ("t.csv", lambda: b"\xef\xbb\xbf", "the file is empty"),
    "nothing but ends of lines": ("t.jsonl", lambda: b"\n" * 1_000, "the file is empty"),
    "UTF-16 that ends in the middle of a character": ("t.csv", lambda: UTF16 + b"x", "it begins as UTF-16"),
    "UTF-16 with half of a pair": ("t.csv", lambda: UTF16 + b"\x00\xd8\n\0", "it begins as UTF-16"),
    "UTF-8 with bytes that are none": (
        "t.csv",
        lambda: "ä,b\nü,2\n".encode() + b"\xc3\x28,3\n",
        "line 3 of t.csv: not",
    ),
    "JSON with bytes that are no UTF-8": (
        "t.jsonl",
        lambda: '{"a":"ü"}\n'.encode() + b'{"a":"\xff"}\n',
        "line 2 of t.j",
    ),
    "a line of 50 MB": ("t.csv", lambda: b"a,b\n1," + b"x" * (50 << 20) + b"\n2,3\n", "the line is too long"),
    "a JSON value of 50 MB": ("t.jsonl", lambda: b'{"a":"' + b"x" * (50 << 20) + b'"}\n', "maximum_object_size"),
    "JSON 100,000 deep": ("t.jsonl", lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
    "JSON 500 deep": ("t.jsonl", lambda: b'{"a":' + b"[" * 500 + b"]" * 500 + b"}\n", "nested too deep"),
    "an array of a million arrays": ("t.json", lambda: b"[" * 1_000_000, "t.json"),
    "a number of 100,000 digits": ("t.jsonl", lambda: b'{"a":' + b"9" * 100_000 + b"}\n", "too many digits"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_file_that_was_made_to_hurt_is_refused_with_a_report(shelf: Shelf, name: str) -> None:
    file_name, made, says = REFUSED[name]
    before = shelf.directories
    async with shelf.client() as client:
        answer = await client.post("/datasets", files={"files": (file_name, made())}, timeout=300)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "ingest_failed" and "dataset" not in problem["report"]
    assert says in problem["detail"]
    assert shelf.directories == before, "nothing is half registered"


async def test_a_parquet_file_that_lies_is_refused_or_read_and_the_reader_may_break(shelf: Shelf) -> None:
    async with shelf.app.executor.sandbox(shelf.spec("")) as sandbox:
        make = b"import pandas; pandas.DataFrame({'a': range(1000), 'b': 'x'}).to_parquet('p.parquet')"
        code, text = await said(sandbox, "python", "main.py", files={"main.py": make})
        assert code == 0, text
        whole = await sandbox.read("p.parquet", max_bytes=1 << 20)
    [length] = struct.unpack("<I", whole[-8:-4])
    footer = len(whole) - 8 - length
    files = {f"length{size}": whole[:-8] + struct.pack("<I", size) + b"PAR1" for size in (0, 1, 0x7FFFFF00, 0xFFFFFFFF)}
    files |= {
        "cut": whole[: len(whole) // 2] + whole[-8:],
        "short": whole[:-20],
        "empty": b"PAR1" + bytes(99) + b"PAR1",
    }
    for place in range(footer, footer + 90, 9):
        changed = bytearray(whole)
        changed[place] ^= 0x7F
        files[f"byte{place - footer}"] = bytes(changed)
    async with shelf.client() as client:
        for name, data in files.items():
            answer = await client.post("/datasets", files={"files": (f"{name}.parquet", data)})
            assert answer.status_code in (201, 422), (name, answer.text)
            rows = answer.json()["files"][0]["rows"] if answer.status_code == 201 else 1000
            assert rows == 1000, "more rows than there are"


READ: dict[str, tuple[str, bytes, list[str], list[object]]] = {
    "NUL bytes in values": ("t.csv", b"a,b\n1,x\0y\n", ["a", "b"], [1, "x\0y"]),
    "UTF-16 without a mark": ("t.csv", "a,b\n1,ü\n".encode("utf-16-be"), ["a", "b"], [1, "ü"]),
    "UTF-32": ("t.csv", "a,b\n1,ü\n".encode("utf-32"), ["a", "b"], [1, "ü"]),
    "names that are alike": (
        "t.csv",
        b"a,a,A,,\n1,2,3,4,5\n",
        ["a", "a_1", "A_2", "column3", "column4"],
        [1, 2, 3, 4, 5],
    ),
    "names that are empty": ("t.csv", b",,\n1,2,3\n", ["column0", "column1", "column2"], [1, 2, 3]),
    "formulas": ("t.csv", b"=1+1,@x\n=HYPERLINK(1),+2\n", ["=1+1", "@x"], ["=HYPERLINK(1)", "+2"]),
    "long text with many commas": ("t.csv", b'a,b\n1,"' + b"," * 3_000 + b'"\n', ["a", "b"], [1, "," * 3_000]),
}


@pytest.mark.parametrize("name", READ)
async def test_what_is_odd_but_a_table_is_read_as_it_is(shelf: Shelf, name: str) -> None:
    file_name, data, columns, first = READ[name]
    report = await shelf.add({file_name: data})
    assert report.dataset is not None
    assert [column.name for column in report.files[0].columns] == columns
    assert await shelf.ask(report.dataset.digest, "FROM t") == [first]


async def test_what_may_be_wrong_with_a_file_is_noted(shelf: Shelf) -> None:
    report = await shelf.add({"t.csv": "ä,b\nü,2\n".encode("latin-1")})
    assert report.files[0].notes == ("it is not UTF-8, so it was read as cp1252; look whether its letters are right",)
    report = await shelf.add({"t.csv": b'a,b\n1,"' + b"x\n" * (10 << 20)})
    assert report.files[0].notes[-1].endswith("is a quote not closed?")


async def test_a_column_of_a_sheet_without_a_value_is_text(shelf: Shelf) -> None:
    report = await shelf.add({"t.xlsx": workbook(_FIRST)})
    assert [(column.name, column.type) for column in report.files[0].columns] == [("name", "VARCHAR")]


async def test_a_workbook_reads_no_file_of_anybody(shelf: Shelf) -> None:
    try:
        report = await shelf.add({"t.xlsx": workbook(cells('t="inlineStr"><is><t>x&secret;</t></is>'), FOREIGN)})
    except IngestFailedError:
        return
    assert report.dataset is not None
    assert await shelf.ask(report.dataset.digest, "SELECT * FROM t") in ([["x"]], [[None]])


async def test_formulas_are_no_values_and_links_are_not_followed(shelf: Shelf) -> None:
    formula = "<f>HYPERLINK(\"http://127.0.0.1/\", 'x')</f><v>7</v>"
    command = "t=\"inlineStr\"><is><t>=cmd|' /C calc'!A0</t></is>"
    report = await shelf.add({"t.xlsx": workbook(cells(f">{formula}", command))})
    assert report.dataset is not None
    rows = await shelf.ask(report.dataset.digest, "SELECT name FROM t")
    assert rows[1] == ["=cmd|' /C calc'!A0"] and rows[0][0] in ("7", None)
