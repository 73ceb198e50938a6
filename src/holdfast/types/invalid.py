"""What is said of a request that does not validate: the same sentence in the server and before anything is sent."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from holdfast.errors import HoldfastError, InvalidFieldError, MalformedRequestError
from holdfast.types.tags import untagged

_NAME_CHARACTERS = 80
_REASONS = {
    "extra_forbidden": "there is no such field here; leave it out, or look at /docs for how it is called",
    "missing": "it is needed and was not sent",
    "model_type": "Input should be an object",
}
_OTHER_NAME = "it is another name of 'image' in requests that have one, and one of the two is enough; leave it out"
_NOT_TEXT = ("hex escape", "surrogate", "number out of range")


def from_validation(error: ValidationError) -> HoldfastError:
    """Our error for a body that is not JSON, or not what the route takes. It never repeats what was sent."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        return _not_json(faults[0]["msg"])
    for fault in faults:
        fault["loc"] = untagged(fault["loc"])
    first, more = faults[0], len({fault["loc"][:1] for fault in faults}) - 1
    # Of a value that may be this or that, the fault within is what somebody meant and got wrong.
    first = max(
        (fault for fault in faults if fault["loc"][:2] == first["loc"][:2]), key=lambda fault: len(fault["loc"])
    )
    field = _field(first["loc"])
    others = f", and {more} more field{'s are' if more > 1 else ' is'} wrong" if more else ""
    return InvalidFieldError(f"{field or 'The body'}: {reason_of(first)}{others}.", field=field)


def reason_of(fault: ErrorDetails) -> str:
    """Why a value is wrong, without a full stop."""
    if fault["type"] == "extra_forbidden" and fault["loc"][-1] == "language":
        return _OTHER_NAME
    return _REASONS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ").rstrip(".")


def _not_json(message: str) -> HoldfastError:
    if any(hint in message for hint in _NOT_TEXT):
        # Grammatical JSON, but not a value we can hold: half of a surrogate pair, or a number without end.
        return InvalidFieldError("The body holds half of a surrogate pair or a number that is out of range.")
    return MalformedRequestError(f"The body is not JSON: {message.removeprefix('Invalid JSON: ')}.")


def _field(location: tuple[Any, ...]) -> str | None:
    name = ".".join(map(str, location))[:_NAME_CHARACTERS]
    return (name if name.isprintable() else ascii(name)) or None
