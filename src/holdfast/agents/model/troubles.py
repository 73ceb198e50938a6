"""Why a model gave no answer, and what is said of it: one table for all who ask models."""

from enum import StrEnum


class Trouble(StrEnum):
    """Why a model gave no answer; there are no other reasons."""

    RATE_LIMITED = "rate_limited"
    NO_CREDIT = "no_credit"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    NOT_FOUND = "not_found"
    KEY = "key"
    REJECTED = "rejected"
    MALFORMED = "malformed"
    FILTERED = "filtered"


PASSING = frozenset({Trouble.RATE_LIMITED, Trouble.UNAVAILABLE, Trouble.TIMED_OUT})
"""Those that may be over when the model is asked again."""

_SENTENCES = {
    Trouble.RATE_LIMITED: "The provider of '{name}' allows no more requests just now.",
    Trouble.NO_CREDIT: "The account at the provider of '{name}' has no credit left.",
    Trouble.UNAVAILABLE: "The provider of '{name}' cannot be reached or has a fault.",
    Trouble.TIMED_OUT: "The model '{name}' did not answer in time.",
    Trouble.NOT_FOUND: "The provider has no model '{name}'; choose another with {setting}.",
    Trouble.KEY: "The provider of '{name}' refused the key; look at {key}.",
    Trouble.REJECTED: "The provider of '{name}' does not take the request; look at its model and key in the settings.",
    Trouble.MALFORMED: "What the model '{name}' answered could not be understood.",
    Trouble.FILTERED: "The provider of '{name}' filtered the question or its answer.",
}
_OF_STATUS = {
    401: Trouble.KEY,
    402: Trouble.NO_CREDIT,
    403: Trouble.KEY,
    404: Trouble.NOT_FOUND,
    408: Trouble.TIMED_OUT,
    429: Trouble.RATE_LIMITED,
    **dict.fromkeys((500, 502, 503, 504, 529), Trouble.UNAVAILABLE),
}
"""For providers whose errors the library does not tell apart."""


def trouble_of(error: Exception) -> Trouble:
    """What an error of the library means, by the most particular first."""
    from pydantic_ai import exceptions as e

    table: tuple[tuple[Trouble, tuple[type[Exception], ...]], ...] = (
        (Trouble.NOT_FOUND, (e.ModelNotFoundError,)),
        (Trouble.KEY, (e.ModelAuthenticationError,)),
        (Trouble.NO_CREDIT, (e.ModelQuotaExceededError,)),
        (Trouble.RATE_LIMITED, (e.ModelRateLimitError,)),
        (Trouble.TIMED_OUT, (e.ModelTimeoutError, e.ModelRequestTimeout, TimeoutError)),
        (Trouble.UNAVAILABLE, (e.ModelConnectionError, e.ModelUnavailableError, e.ModelServerError)),
        (Trouble.FILTERED, (e.ContentFilterError,)),
        (Trouble.MALFORMED, (e.UnexpectedModelBehavior,)),
    )
    known = next((trouble for trouble, kinds in table if isinstance(error, kinds)), None)
    return known or _OF_STATUS.get(getattr(error, "status_code", 0), Trouble.REJECTED)


def sentence_of(trouble: Trouble, name: str, setting: str, key: str) -> str:
    """What to do about it: `setting` chooses the model, and `key` is where its key is."""
    return _SENTENCES[trouble].format(name=name, setting=setting, key=key)
