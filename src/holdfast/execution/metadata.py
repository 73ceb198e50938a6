"""What a program said with its SDK, apart from what it printed."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import TypeAdapter

from holdfast.engines import RESERVED

METADATA_FILE = f"{RESERVED}/metadata.json"
MAX_METADATA_BYTES = 64 << 10
_ANY: TypeAdapter[Any] = TypeAdapter(Any)
TOO_LARGE = f"The metadata was left out: it is larger than {MAX_METADATA_BYTES >> 10} KB; set less."
NOT_JSON = "The metadata was left out: it is not JSON; set it with the functions of the SDK."


def read_metadata(returned: Mapping[str, bytes], notes: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """The metadata of a run, and its notes with one more if what the program wrote cannot be used."""
    about = next((note for note in notes if note.startswith(f"{METADATA_FILE} ")), None)
    if about is not None:
        instead = TOO_LARGE if "larger" in about else NOT_JSON
        return None, tuple(instead if note == about else note for note in notes)
    if METADATA_FILE not in returned:
        return None, notes
    try:
        value = json.loads(returned[METADATA_FILE], parse_constant=_refuse)
        # What cannot be sent, such as half of a surrogate pair, is found here and not when the answer is made.
        _ANY.dump_json(value)
    except (ValueError, RecursionError):
        return None, (*notes, NOT_JSON)
    return value, notes


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)
