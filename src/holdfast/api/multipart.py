"""A form with files, taken apart as it comes: files go piece by piece to whoever takes them, other fields are kept."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from holdfast.errors import MalformedRequestError, TooLargeError

MAX_FIELD_BYTES = 256 << 10
MAX_FIELDS = 32
_NO_FORM = "The body is no form as its content type says; send multipart/form-data."


class Incoming(Protocol):
    """A file that arrives piece by piece."""

    async def write(self, data: bytes) -> None:
        """The next piece of it."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is no more."""
        ...


class Taker(Protocol):
    """Whoever takes the files of a form."""

    def file(self, name: str) -> Incoming:
        """Take a file of this name. Raises RequestError."""
        ...


class Form:
    """A form on its way to whoever takes its files."""

    def __init__(self, content_type: str, upload: Taker) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise MalformedRequestError(_NO_FORM)
        self._upload = upload
        self._happened: list[tuple[str, bytes]] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": lambda data, start, end: self._note("field", data[start:end]),
                "on_header_value": lambda data, start, end: self._note("value", data[start:end]),
                "on_header_end": lambda: self._note("header"),
                "on_headers_finished": lambda: self._note("begin"),
                "on_part_data": lambda data, start, end: self._note("data", data[start:end]),
                "on_part_end": lambda: self._note("end"),
                "on_end": lambda: self._note("over"),
            },
        )
        self._header = {"field": b"", "value": b""}
        self._disposition = b""
        self._name = ""
        self._file: Incoming | None = None
        self._over = False
        self.fields: dict[str, bytes] = {}
        self.files: list[str] = []
        """The fields whose files were taken."""

    def _note(self, what: str, data: bytes = b"") -> None:
        self._happened.append((what, data))

    async def read(self, pieces: AsyncIterator[bytes]) -> dict[str, str]:
        """The fields that are no files. Raises MalformedRequestError, TooLargeError, InvalidFieldError, OSError."""
        try:
            async for piece in pieces:
                self._parse(piece)
                for what, data in self._happened:
                    await self._take(what, data)
                self._happened.clear()
        except BaseException as error:
            await self._close(error)
            raise
        if not self._over:
            raise MalformedRequestError("The form ends early.")
        try:
            return {name: value.decode() for name, value in self.fields.items()}
        except UnicodeDecodeError:
            raise MalformedRequestError("A field of the form is not UTF-8.") from None

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError:
            raise MalformedRequestError(_NO_FORM) from None

    async def _take(self, what: str, data: bytes) -> None:
        if what in self._header:
            self._header[what] += data
        elif what == "header":
            if self._header["field"].lower() == b"content-disposition":
                self._disposition = self._header["value"]
            self._header = {"field": b"", "value": b""}
        elif what == "begin":
            self._begin()
        elif what == "data":
            await self._data(data)
        elif what == "end":
            await self._close(None)
        else:
            self._over = True

    def _begin(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        self._name = options.get(b"name", b"").decode(errors="replace")
        if b"filename" in options:
            self.files.append(self._name)
            self._file = self._upload.file(options[b"filename"].decode(errors="replace"))
        elif len(self.fields) >= MAX_FIELDS:
            raise TooLargeError(f"The form has more than {MAX_FIELDS} fields.")
        else:
            self.fields[self._name] = b""

    async def _data(self, data: bytes) -> None:
        if self._file is not None:
            await self._file.write(data)
            return
        self.fields[self._name] += data
        if len(self.fields[self._name]) > MAX_FIELD_BYTES:
            raise TooLargeError(f"A field of the form is larger than {MAX_FIELD_BYTES:,} bytes.")

    async def _close(self, error: BaseException | None) -> None:
        file, self._file = self._file, None
        if file is not None:
            await file.__aexit__(type(error) if error else None, error, None)
