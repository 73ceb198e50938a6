"""Files that were made to hurt whoever reads them. Each is a report or a table, in time, and the server lives."""

import io
import json
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
_SHEET = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"""
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

REFUSED = {
    "a workbook of which a sheet unpacks to 4 GB": lambda: workbook(_FIRST + b" " * (1 << 28) + b"<row>" * (1 << 24)),
    "a workbook of entities that grow": lambda: workbook(
        cells('t="inlineStr"><is><t>&a11;</t></is>'), BILLION_LAUGHS + b"]>"
    ),
    "a workbook of rows without an end": lambda: workbook(_FIRST + b"<row><c><v>1"),
    "a workbook that is a zip of nothing": lambda: workbook(b"")[:200],
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_workbook_that_was_made_to_hurt_is_refused_with_a_report(shelf: Shelf, name: str) -> None:
    before = shelf.directories
    with pytest.raises(IngestFailedError):
        await shelf.add({"t.xlsx": REFUSED[name]()})
    assert shelf.directories == before


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


_PARQUET = """
import duckdb
duckdb.sql("SELECT range AS id, 'name ' || range AS name FROM range(1000)").write_parquet("good.parquet")
good = open("good.parquet", "rb").read()
length = int.from_bytes(good[-8:-4], "little")
footer = bytearray(good[-8 - length:-8])
whole = good[:-8 - length]

def write(name, body, tail):
    open(name, "wb").write(body + tail)

write("longer.parquet", whole, bytes(footer) + (0x7FFFFFFF).to_bytes(4, "little") + b"PAR1")
write("none.parquet", whole, bytes(footer) + (0).to_bytes(4, "little") + b"PAR1")
write("cut.parquet", whole[:40], bytes(footer) + length.to_bytes(4, "little") + b"PAR1")
for at in range(0, length, max(1, length // 12)):
    lying = bytearray(footer)
    lying[at:at + 4] = b"\\xff\\xff\\xff\\x7f"[:len(lying[at:at + 4])]
    write(f"lying{at}.parquet", whole, bytes(lying) + length.to_bytes(4, "little") + b"PAR1")
"""


async def test_a_parquet_file_that_lies_of_its_sizes_is_refused_or_read_and_harms_nobody(shelf: Shelf) -> None:
    async with shelf.app.executor.sandbox(shelf.spec("")) as sandbox:
        code, text = await said(sandbox, "python", "main.py", files={"main.py": _PARQUET.encode()})
        assert code == 0, text
        names = [name for name in (await sandbox.list()).files if name.endswith(".parquet") and name != "good.parquet"]
        lying = {name: await sandbox.read(name, max_bytes=1 << 20) for name in names}
    assert len(lying) > 10
    for name, data in lying.items():
        try:
            report = await shelf.add({name: data})
        except IngestFailedError:
            continue
        assert report.files[0].rows <= 1000, name
    assert (await shelf.add({"after.csv": b"n\n1\n"})).dataset is not None


def _deep(levels: int) -> bytes:
    return b'{"a": ' + b"[" * levels + b"]" * levels + b"}\n"


ODD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "100,000 columns": (
        "t.csv",
        lambda: b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n",
    ),
    "NUL bytes": ("t.csv", lambda: b"a,b\n1,x\0y\n\0,2\n" * 50),
    "several encodings in one": ("t.csv", lambda: "a,b\né,1\n".encode() + "ü,2\n".encode("latin-1") + b"\xff\xfe,3\n"),
    "half of UTF-16": ("t.csv", lambda: "a,b\n1,2\n".encode("utf-16")[:-1]),
    "a quote that never ends": ("t.csv", lambda: b'a,b\n1,"' + b"x" * (1 << 20)),
    "one line of 20 MB": ("t.csv", lambda: b"a\n" + b"1" * (20 << 20)),
    "only line ends": ("t.csv", lambda: b"\n" * 1_000_000),
    "carriage returns of all kinds": ("t.csv", lambda: b"a,b\r1,2\r\n3,4\n5,6\r"),
    "numbers beyond every type": ("t.csv", lambda: b"a\n" + b"9" * 400 + b"\n1e999\n-0\nNaN\n"),
    "JSON 100 deep": ("t.jsonl", lambda: _deep(100)),
    "JSON 100,000 deep": ("t.jsonl", lambda: _deep(100_000)),
    "JSON with 20,000 keys on each of 20 lines": (
        "t.jsonl",
        lambda: b"".join(json.dumps({f"k{line}_{n}": n for n in range(20_000)}).encode() + b"\n" for line in range(20)),
    ),
    "JSON with a key twice": ("t.jsonl", lambda: b'{"a": 1, "a": {"b": 2}, "A": 3}\n'),
    "JSON with huge numbers and half characters": (
        "t.jsonl",
        lambda: b'{"a": 1e400, "b": %s, "c": "\\ud800"}\n' % (b"9" * 5_000),
    ),
}


@pytest.mark.parametrize("name", ODD)
async def test_a_file_that_is_odd_is_a_report_or_a_table_and_nothing_else(shelf: Shelf, name: str) -> None:
    before = set(shelf.directories)
    file, data = ODD[name]
    try:
        report = await shelf.add({file: data()})
    except IngestFailedError as failed:
        assert failed.detail and set(shelf.directories) == before
        return
    assert report.dataset is not None
    rows = await shelf.ask(report.dataset.digest, "SELECT count(*) FROM t")
    assert rows == [[report.files[0].rows]]
