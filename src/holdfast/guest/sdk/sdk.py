"""What a program says about its result, apart from what it prints: comes back as `metadata`, up to 64 KB of JSON."""

import json
import os
from typing import Any

_FILE = "/workspace/.holdfast/metadata.json"


def set_metadata(data: Any) -> None:
    """Set the metadata of this run; a later call replaces it. Raises TypeError for what is not JSON."""
    text = json.dumps(data)
    os.makedirs(os.path.dirname(_FILE), exist_ok=True)
    with open(_FILE, "w", encoding="utf-8") as file:
        file.write(text)


def get_metadata() -> Any:
    """The metadata set so far, or None."""
    try:
        with open(_FILE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
