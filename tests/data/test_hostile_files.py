"""Workbooks that were made to hurt whoever reads them. Each is a report or a table, in time, and the server lives."""

import io
import zipfile

import pytest

from holdfast.errors import IngestFailedError
from tests.data.conftest import Shelf

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
