"""Which names a file may have inside a workspace, and which names a program's environment may hold."""

import re
from collections.abc import Collection, Iterable

from holdfast.engines import RESERVED
from holdfast.errors import InvalidFieldError, InvalidFileNameError

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024
MAX_DEPTH = 32
SHOWN_CHARACTERS = 40

_FORBIDDEN_IN_PATHS = re.compile(r"[\x00-\x1f\x7f\\]")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED_ENVIRONMENT = re.compile(
    r"(?:ENCODED_|LD_|PYTHON|HOLDFAST_).*|CUSTOM_ENTRYPOINT|NODE_OPTIONS|BASH_ENV|ENV|PATH|GCONV_PATH"
)


def shown(text: str) -> str:
    """A short printable form of what a caller sent, for error sentences."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return ascii(cut) if not cut.isprintable() else f"'{cut}'"


def encoded(text: str, field: str) -> bytes:
    """The UTF-8 bytes of a text. Raises InvalidFieldError for half of a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidFieldError(f"'{field}' holds half of a surrogate pair, which is not text.", field=field) from None


def encoded_argument(text: str, field: str) -> bytes:
    """The bytes of something the kernel takes as a C string. Raises InvalidFieldError for NUL."""
    if "\0" in text:
        raise InvalidFieldError(f"'{field}' holds a NUL character, which the system cannot pass on.", field=field)
    return encoded(text, field)


def check_path(name: str, field: str = "files") -> None:
    """Refuse a name that could not be, or should not be, a file below the workspace. Raises InvalidFileNameError."""
    reason = _path_fault(name, encoded(name, field))
    if reason is not None:
        raise InvalidFileNameError(f"Invalid filename: {shown(name)} {reason}.", field=field)


def check_paths(names: Collection[str]) -> None:
    """Refuse bad names and a name that is also the directory of another. Raises InvalidFileNameError."""
    for name in names:
        check_path(name)
    directories = directories_of(names)
    clash = next((name for name in names if name in directories), None)
    if clash is not None:
        raise InvalidFileNameError(f"Invalid filename: {shown(clash)} is also the directory of another.", field="files")


def check_environment_name(name: str) -> None:
    """Refuse a name that is no name, or that would change how the runtime itself works. Raises InvalidFieldError."""
    if _ENVIRONMENT_NAME.fullmatch(name) is None:
        raise InvalidFieldError(
            f"{shown(name)} is not a name for an environment variable; use letters, digits and '_'.",
            field="environment",
        )
    if _RESERVED_ENVIRONMENT.fullmatch(name):
        raise InvalidFieldError(
            f"The environment variable {shown(name)} is reserved; give it another name.", field="environment"
        )


def directories_of(names: Iterable[str]) -> set[str]:
    """Every directory that must exist for these files."""
    return {directory for name in names for directory in _parents(name)}


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _path_fault(name: str, raw: bytes) -> str | None:
    parts = name.split("/")
    faults = (
        (not name, "is empty"),
        (len(raw) > MAX_PATH_BYTES, f"is longer than {MAX_PATH_BYTES} bytes"),
        (name.startswith("/"), "is absolute"),
        (".." in parts, "climbs out of the workspace with '..'"),
        ("" in parts, "has an empty part or ends with '/'"),
        ("." in parts, "has a part that is only '.'"),
        (_FORBIDDEN_IN_PATHS.search(name) is not None, "holds a control character or a backslash"),
        (parts[0] == RESERVED, f"is in '{RESERVED}', which is reserved"),
        (len(parts) > MAX_DEPTH, f"is deeper than {MAX_DEPTH} directories"),
        (any(len(part.encode()) > MAX_NAME_BYTES for part in parts), f"has a part above {MAX_NAME_BYTES} bytes"),
    )
    return next((reason for holds, reason in faults if holds), None)
