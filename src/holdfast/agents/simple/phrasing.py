"""The same said otherwise: turns of phrase that are put into plainer words before a question is cut into pieces."""

from collections.abc import Callable, Sequence

from holdfast.agents.simple.words import Word, stem

_OTHERWISE: tuple[tuple[str, str], ...] = (
    ("no longer", "not"),
    ("not yet", "not"),
    ("haven't yet", "not"),
    ("sent back", "returned"),
    ("brought back", "returned"),
    ("handed back", "returned"),
    ("called off", "cancelled"),
    ("canceled", "cancelled"),
    ("sla misses", "sla missed"),
    ("leaving out", "excluding"),
    ("leaving aside", "excluding"),
    ("not counting", "excluding"),
    ("not including", "excluding"),
    ("without counting", "excluding"),
    ("apart from", "excluding"),
    ("other than", "excluding"),
    ("except for", "excluding"),
    ("except", "excluding"),
    ("all but", "excluding"),
    ("ignoring", "excluding"),
    ("month by month", "per month"),
    ("week by week", "per week"),
    ("day by day", "per day"),
    ("year by year", "per year"),
    ("broken out by", "by"),
    ("per each", "per"),
    ("team leader", "team lead"),
    ("came to between", "worth between"),
    ("came to more", "worth more"),
    ("came to less", "worth less"),
    ("came to over", "worth over"),
    ("came to under", "worth under"),
    ("came to above", "worth above"),
    ("came to below", "worth below"),
    ("came to at", "worth at"),
    ("than an hour", "than 1 hour"),
    ("over an hour", "over 1 hour"),
    ("under an hour", "under 1 hour"),
    ("than a minute", "than 1 minute"),
    ("than a day", "than 1 day"),
    ("than a week", "than 1 week"),
    ("pieces left", "pieces"),
    ("items left", "items"),
    ("units left", "units"),
    ("christmas day", "25 december"),
    ("christmas eve", "24 december"),
    ("new year's eve", "31 december"),
    ("out of stock", "stock = 0"),
    ("sold out", "stock = 0"),
    ("most common", "commonest"),
    ("most frequent", "commonest"),
    ("most popular", "commonest"),
    ("most frequently used", "commonest"),
    ("most used", "commonest"),
    ("most often", "oftenest"),
    ("most frequently", "oftenest"),
    ("the most times", "oftenest"),
    ("least common", "rarest"),
    ("least frequent", "rarest"),
    ("least often", "rarest"),
    ("least popular", "rarest"),
    ("air pressure", "pressure"),
    ("over all", "across all"),
    ("add up", "total"),
    ("adding up", "total"),
    ("the middle value", "the median"),
    ("took place", "were"),
    ("take place", "are"),
    ("brought in", "earned"),
    ("bring in", "earned"),
    ("how many different kinds of", "how many different"),
    ("how many different types of", "how many different"),
    ("how many kinds of", "how many different"),
    ("how many types of", "how many different"),
    ("1 star", "rating of 1"),
    ("5 star", "rating of 5"),
    ("dont", "don't"),
    ("doesnt", "doesn't"),
    ("didnt", "didn't"),
    ("isnt", "isn't"),
    ("arent", "aren't"),
    ("wasnt", "wasn't"),
    ("havent", "haven't"),
    ("hasnt", "hasn't"),
    ("waiting time", "wait"),
    ("wait time", "wait"),
    ("mm s", "mm/s"),
    ("a thousand", "1000"),
    ("a hundred", "100"),
    ("one hundred", "100"),
    ("one thousand", "1000"),
    ("new year's day", "1 january"),
)
"""Longer phrases first where one begins another."""

_KINDS = frozenset({"type", "kind", "sort", "category"})
_TIMES = {"k": 1000, "thousand": 1000, "million": 1_000_000}
_LONGEST = 5


def plainly(words: Sequence[Word], is_known: Callable[[tuple[str, ...]], bool]) -> list[Word]:
    """The words of a question in plainer ones; what the dataset calls so itself is left as it is."""
    said = _bounded(_multiplied(list(words)))
    plain: list[Word] = []
    place = 0
    while place < len(said):
        found = _said_otherwise(said, place, is_known) or _kind_of(said, place, is_known)
        if found is None:
            plain.append(said[place])
            place += 1
            continue
        plain += found[0]
        place += found[1]
    return plain


_TABLE = {tuple(said.split()): tuple(plain.split()) for said, plain in _OTHERWISE}


def _said_otherwise(
    words: Sequence[Word], place: int, is_known: Callable[[tuple[str, ...]], bool]
) -> tuple[list[Word], int] | None:
    for length in range(min(_LONGEST, len(words) - place), 0, -1):
        texts = tuple(word.text for word in words[place : place + length])
        if texts in _TABLE and not is_known(tuple(word.stem for word in words[place : place + length])):
            return [_word(text) for text in _TABLE[texts]], length
    return None


def _kind_of(
    words: Sequence[Word], place: int, is_known: Callable[[tuple[str, ...]], bool]
) -> tuple[list[Word], int] | None:
    """`type of room` for `room type`, and `kind of job` for `job`."""
    if len(words) < place + 3 or words[place].stem not in _KINDS or words[place + 1].text != "of":
        return None
    kind, noun = words[place], words[place + 2]
    if is_known((kind.stem, "of")):
        return None
    if is_known((noun.stem, kind.stem)):
        return [noun, kind], 3
    turned = next((other for other in sorted(_KINDS) if is_known((noun.stem, other))), None)
    if turned is not None:
        return [noun, _word(turned)], 3
    return ([noun], 3) if is_known((noun.stem,)) else None


def _word(text: str) -> Word:
    return Word(text, stem(text), text)


def _multiplied(words: list[Word]) -> list[Word]:
    """`5 thousand` and `5k` are 5000."""
    for place in range(len(words) - 2, -1, -1):
        number, times = words[place].number, _TIMES.get(words[place + 1].text)
        if number is not None and times is not None:
            value = number * times
            words[place : place + 2] = [_word(str(int(value) if value == int(value) else value))]
    return words


_OR_MORE = {
    **dict.fromkeys(("more", "higher", "above", "over", "longer", "older", "better"), ("at", "least")),
    **dict.fromkeys(("less", "lower", "below", "under", "fewer", "shorter", "younger"), ("at", "most")),
}


def _bounded(words: list[Word]) -> list[Word]:
    """`500 euros or more` is `at least 500 euros`."""
    for place in range(len(words) - 2, 0, -1):
        bound = _OR_MORE.get(words[place + 1].text) if words[place].text == "or" else None
        start = next((at for at in (place - 1, place - 2) if at >= 0 and words[at].number is not None), None)
        if bound is None or start is None:
            continue
        start -= start > 0 and words[start - 1].text in _SIGNS
        compared = start > 0 and words[start - 1].text in ("than", "least", "most", "over", "under", "above", "below")
        words[place : place + 2] = []
        words[start:start] = [] if compared else [_word(text) for text in bound]
    return words


_SIGNS = frozenset({"$", "€", "£"})
