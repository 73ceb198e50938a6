"""What a request for a prebuilt environment means, and every rule about such requests."""

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from holdfast.errors import InvalidFieldError, TooLargeError
from holdfast.execution.names import encoded, shown
from holdfast.execution.requests import contents
from holdfast.languages import LANGUAGES, SEED_PREFIX, Language, find_language
from holdfast.types import PREBUILT_PREFIX, PrebuildRequest, PrebuildSpec

MAX_SCRIPT_BYTES = 65_536
_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

CheckReady = Callable[[Language, str], None]
"""Raises RuntimeNotAvailableError for a language that is not there; the other word is the field that names it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that was checked."""

    tag: str
    base: str
    script: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    allow_network: bool | None = None
    shared: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def checked(request: PrebuildRequest, check_ready: CheckReady) -> Wanted:
    """Raises RequestError, RuntimeNotAvailableError."""
    tag = new_tag(request.tag)
    base, script = checked_spec(request, check_ready)
    return Wanted(tag, base, script, contents(request.files), request.allow_network, request.shared)


def checked_spec(spec: PrebuildSpec, check_ready: CheckReady) -> tuple[str, str]:
    """The language and the script. Raises RequestError, RuntimeNotAvailableError."""
    if len(encoded(spec.setup_script, "setup_script")) > MAX_SCRIPT_BYTES:
        raise TooLargeError(f"The setup script is larger than {MAX_SCRIPT_BYTES:,} bytes.", field="setup_script")
    if "\0" in spec.setup_script:
        raise InvalidFieldError("'setup_script' holds a NUL character, which no script can.", field="setup_script")
    language = find_language(spec.base_image, "base_image")
    check_ready(language, "base_image")
    return language.name, spec.setup_script


def is_tag(text: str) -> bool:
    """Whether a prebuilt environment could be called so."""
    return _TAG.fullmatch(text) is not None


def tag_of(given: str) -> str:
    """The tag somebody means. Raises InvalidFieldError."""
    tag = given.strip().removeprefix(PREBUILT_PREFIX)
    if not is_tag(tag):
        raise InvalidFieldError(
            f"{shown(given)} is no tag; use up to 64 lower-case letters, digits, '-', '_' and '.', "
            "a letter or digit first.",
            field="tag",
        )
    return tag


def new_tag(given: str) -> str:
    """The tag of one to make. Raises InvalidFieldError, also for the name of a language."""
    tag = tag_of(given)
    if tag.removeprefix(SEED_PREFIX) in LANGUAGES:
        raise InvalidFieldError(f"The tag {shown(tag)} is the name of a language; choose another.", field="tag")
    return tag


def this_python() -> str:
    """The version of Python whose packages programs can import."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
