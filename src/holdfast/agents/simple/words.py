"""The words of questions: how they are cut, and what those mean that mean the same over every dataset."""

import re
from dataclasses import dataclass

from holdfast.types import Aggregate, Bucket, Operator

_WORD = re.compile(
    r"(?i)[a-z]+(?:'[a-z]+)?|\d{4}-\d{2}-\d{2}|(?:(?<![^\s=<>$€£])-\s*)?(?:\d+(?:,\d+)*(?:\.\d+)?|(?<!\d)\.\d+)|[^\sa-z\d]"
)
_MONEY_BELOW_ZERO = re.compile(r"(?<!\S)-\s*([$€£])")
_NUMBER = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d+)?")
"""With commas only between thousands: `1,5` is one and a half to some."""
_SPLIT_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_UNSAID = frozenset({"?", ".", "!", ",", ":", ";", '"', "'", "(", ")", "-", "/", "’", "_"})  # noqa: RUF001

_NUMBERS = {
    "zero": 0,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "fifty": 50,
}


@dataclass(frozen=True, slots=True)
class Word:
    """A word in lower case, its singular, and as it was written."""

    text: str
    stem: str
    written: str = ""

    @property
    def number(self) -> float | None:
        """What it is worth, if it is a number."""
        if self.text in _NUMBERS:
            return float(_NUMBERS[self.text])
        written = "".join(self.text.split())
        if not written[-1:].isdigit() or _NUMBER.fullmatch(written) is None:
            return None
        return float(written.replace(",", ""))


def words_of(text: str) -> list[Word]:
    """The words of a sentence, without its punctuation."""
    written = _MONEY_BELOW_ZERO.sub(r"\1 -", text.replace("’", "'"))  # noqa: RUF001
    found = (match[0] for match in _WORD.finditer(written))
    return [Word(word.lower(), stem(word.lower()), word) for word in found if word not in _UNSAID]


def words_of_name(name: str) -> tuple[str, ...]:
    """The singular words of a name such as `order_items` or `orderItems`."""
    return tuple(stem(word.lower()) for word in _SPLIT_NAME.findall(name))


def stem(word: str) -> str:
    """The singular, roughly; the same for names and questions, which is what matters."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(ch|sh|x|ss|zz|us)es$", word):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


_ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ed", "es", "s", "e")


def root(word: str) -> str:
    """What the forms of a verb have in common, roughly: `cancel` of `cancelled` and `cancellations`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "s" else word


AGGREGATES = {
    "average": Aggregate.AVG,
    "avg": Aggregate.AVG,
    "mean": Aggregate.AVG,
    "median": Aggregate.MEDIAN,
    "sum": Aggregate.SUM,
    "total": Aggregate.SUM,
    "maximum": Aggregate.MAX,
    "max": Aggregate.MAX,
    "minimum": Aggregate.MIN,
    "min": Aggregate.MIN,
}
COUNTING = (
    "how many", "number of", "count of", "count", "total number of", "the number of", "total count of", "total number",
    "how often", "how many times", "number",
)  # fmt: skip
NO_NOUN = frozenset({"how often", "how many times"})
"""After these the noun that is counted need not follow."""
DISTINCT = frozenset({"distinct", "different", "unique"})
HIGHEST = frozenset({"highest", "biggest", "largest", "greatest", "maximal"})
LOWEST = frozenset({"lowest", "smallest", "least", "minimal"})
MOST, FEWEST = frozenset({"most"}), frozenset({"fewest"})
OFTENEST = {"commonest": "most", "oftenest": "most", "busiest": "most", "rarest": "fewest"}
"""What has the most rows, whatever these are."""
GROUPING = (
    "for each", "for every", "in each", "in every", "of each", "at each", "on each", "from each", "with each",
    "grouped by", "broken down by", "split by", "by each", "per", "by", "each", "every", "for every single",
    "broken down per", "split per", "sorted by each", "through each", "across each", "within each", "by every",
)  # fmt: skip
BUCKETS = {word: bucket for bucket in Bucket for word in (bucket.value,)}
ADVERBS = {"hourly": Bucket.HOUR, "daily": Bucket.DAY, "weekly": Bucket.WEEK, "monthly": Bucket.MONTH}
ADVERBS |= {"quarterly": Bucket.QUARTER, "yearly": Bucket.YEAR, "annually": Bucket.YEAR}
COMPARING = (
    ("greater than or equal to", Operator.GREATER_OR_EQUAL),
    ("less than or equal to", Operator.LESS_OR_EQUAL),
    ("no more than", Operator.LESS_OR_EQUAL),
    ("no less than", Operator.GREATER_OR_EQUAL),
    ("not more than", Operator.LESS_OR_EQUAL),
    ("greater than", Operator.GREATER),
    ("no fewer than", Operator.GREATER_OR_EQUAL),
    ("not less than", Operator.GREATER_OR_EQUAL),
    ("a minimum of", Operator.GREATER_OR_EQUAL),
    ("a maximum of", Operator.LESS_OR_EQUAL),
    ("bigger than", Operator.GREATER),
    ("higher than", Operator.GREATER),
    ("larger than", Operator.GREATER),
    ("bigger than", Operator.GREATER),
    ("more than", Operator.GREATER),
    ("lower than", Operator.LESS),
    ("less than", Operator.LESS),
    ("fewer than", Operator.LESS),
    ("smaller than", Operator.LESS),
    ("at least", Operator.GREATER_OR_EQUAL),
    ("at most", Operator.LESS_OR_EQUAL),
    ("up to", Operator.LESS_OR_EQUAL),
    ("equal to", Operator.EQUAL),
    ("exactly", Operator.EQUAL),
    ("above", Operator.GREATER),
    ("over", Operator.GREATER),
    ("exceeding", Operator.GREATER),
    ("below", Operator.LESS),
    ("under", Operator.LESS),
    ("> =", Operator.GREATER_OR_EQUAL),
    ("< =", Operator.LESS_OR_EQUAL),
    (">", Operator.GREATER),
    ("<", Operator.LESS),
    ("=", Operator.EQUAL),
)
NEGATING = frozenset({
    "not", "no", "without", "missing", "missed", "failed", "breached", "violated", "never",
    "isn't", "aren't", "wasn't", "weren't", "didn't", "don't", "doesn't", "haven't", "hasn't", "lacking", "excluding",
})  # fmt: skip
MISSING = frozenset({"missing", "missed", "failed", "breached", "violated", "lacking"})
"""Those of them that may also follow what they deny."""

NOTHING = frozenset(
    {"", "-", "--", "none", "no", "nothing", "n/a", "na", "nil", "null", "nan", "unknown", "without", "0"}
)
"""Texts that say that there is nothing."""

AFFIRMING = frozenset({"met", "kept", "fulfilled", "flagged", "marked"})
WHICH = frozenset({"which", "who", "whose"})
UNITS = frozenset({
    "degree", "celsius", "fahrenheit", "percent", "%", "hour", "day", "minute", "second", "week", "month", "year",
    "dollar", "euro", "pound", "$", "€", "£", "eur", "usd", "gbp", "c", "f", "hpa", "kg", "km", "mm", "mm/s", "point",
})  # fmt: skip
"""What may follow, or with money precede, a number that a column is compared with."""

NAME_UNITS = frozenset({
    "c", "f", "k", "pct", "percent", "hpa", "mm", "cm", "m", "km", "s", "ms", "sec", "min", "hr", "h", "hour",
    "eur", "usd", "gbp", "musd", "meur", "mgbp", "kg", "g", "lb", "kwh", "kw", "w", "v", "db", "ppm",
})  # fmt: skip
"""What the name of a column may end with, and nobody says."""

FILLER = frozenset({
    "a", "an", "the", "of", "in", "on", "at", "for", "to", "from", "with", "within", "among", "across", "is", "are",
    "was", "were", "be", "been", "do", "does", "did", "we", "our", "you", "i", "me", "my", "us", "there", "their",
    "it", "its", "this", "that", "these", "those", "all", "any", "have", "has", "had", "having", "please", "can",
    "could", "show", "give", "tell", "find", "what", "what's", "whats", "overall", "altogether", "where", "came",
    "come", "coming", "went", "got", "dataset", "file", "data", "table", "i'd", "like", "know", "see", "want", "let",
    "get", "list", "display", "either", "yet", "ever", "already", "together", "completely", "anything", "everything",
    "i've", "we've", "we're", "you've", "need", "needs", "so", "just", "one", "ones", "he", "she", "they", "them",
    "carry", "travel", "travelled", "traveled", "drive", "drove", "brings", "monitor", "carries", "produce",
    "produced", "produces", "gets", "gave", "given", "gives", "brought", "must", "ours", "ok", "okay", "hi", "hello",
    "thanks", "thank", "exact", "actually", "really", "would", "should", "will", "am", "as", "use", "uses", "using",
    "happen", "occur", "run", "runs", "through", "go", "goes", "going", "hold", "include", "includes", "included",
    "including", "involve", "involved", "involving", "concern", "concerning", "regarding", "about", "collect",
    "single", "look", "up", "him", "her", "his", "hers", "involves", "saw", "seen", "handle", "handles", "record",
    "records", "measure", "measures", "report", "reports", "register", "make", "makes", "making", "stand", "stands",
    "apiece", "who's", "bring", "put", "gotten", "but", "also", "then", "calculate", "compute", "during", "how",
    "that's", "there's", "something", "anyone", "anybody",
})  # fmt: skip
FILLER_PHRASES = (
    "in total",
    "of the season",
    "of all time",
    "while the",
    "in which the",
    "so far",
    "all together",
    "filled in",
    "came out of",
    "came out",
    "come out",
    "all in all",
    "on record",
    "on file",
    "on our books",
    "on the books",
    "on the list",
    "in our system",
    "in the system",
    "in our records",
    "in the records",
    "by far",
    "up to now",
    "until now",
    "till now",
    "to date",
    "years old",
    "years of age",
    "is that",
    "are there",
    "are they",
    "were they",
    "was it",
    "is it",
    "were there",
    "do we have",
    "take us",
    "at all",
    "as well",
    "both days included",
    "both included",
    "tell me",
    "in the file",
    "in the data",
    "in the dataset",
    "in the plant",
    "in this dataset",
    "in this file",
    "how are",
    "how high",
    "how large",
    "how low",
    "how big",
)
HAPPENED = frozenset({
    "taken", "recorded", "reported", "report", "logged", "registered", "placed", "handled", "made", "happened",
    "occurred", "exist", "collected", "measured", "observed", "listed", "found", "contained", "received",
    "receive", "receives", "submit", "submits",
})  # fmt: skip
"""What is done with any row, and chooses none."""

TRADED = frozenset({"sold", "bought", "purchased", "ordered"})
"""The same where a column is added up; where rows are counted, it asks for others than those of the table."""

BEGAN = frozenset({
    "created", "opened", "placed", "started", "made", "filed", "submitted", "ordered", "began", "taken", "received",
    "came in", "come in", "comes in", "coming in",
})  # fmt: skip
"""What rows did at the first of their dates."""

AS_IT_IS = frozenset({
    "still", "now", "currently", "right now", "at the moment", "at present", "work", "works", "working", "live",
    "lives", "here",
})  # fmt: skip
"""How it is now. Where the data know what has ended, these may choose rows, if nothing else does."""

ENDING = frozenset({
    "active", "left", "ended", "end", "status", "state", "cancelled", "canceled", "closed", "terminated", "quit",
    "current", "inactive", "deleted", "archived", "until", "returned", "leaving", "exit", "resigned", "retired",
})  # fmt: skip
"""Words of columns that know what has ended."""

BEGINNING = frozenset({"hire", "hired", "join", "joined", "start", "signup", "signed", "registered", "registration",
                       "order", "ordered", "booking", "booked", "admitted", "enrolled"})  # fmt: skip
"""Words of columns that say when something was new."""

BEGAN_THEN = frozenset({"new", "arrived", "booked", "joined", "assigned", "signed"})
"""The same where it is asked when; otherwise they may choose rows."""

NEUTRAL_NOUNS = frozenset({"level", "value", "figure"})
"""What is said after the name of a column and adds nothing."""

SYNONYMS = (
    {"amount", "total", "value", "sum"},
    {"cost", "price"},
    {"rating", "score", "satisfaction", "csat"},
    {"customer", "client"},
    {"employee", "staff", "worker"},
    {"quantity", "qty", "unit"},
    {"temperature", "temp"},
    {"location", "place", "site"},
    {"category", "type", "kind"},
    {"country", "nation"},
    {"department", "dept"},
    {"salary", "pay", "wage"},
    {"revenue", "sale", "turnover"},
    {"city", "town"},
    {"duration", "length"},
    {"sex", "gender"},
    {"priority", "urgency"},
    {"brand", "make", "manufacturer"},
    {"grade", "quality"},
    {"client", "customer"},
    {"zone", "area", "region"},
    {"supplier", "vendor"},
    {"colour", "color"},
    {"channel", "medium"},
    {"status", "state"},
    {"lead", "leader"},
    {"title", "position", "role"},
    {"branch", "store", "shop"},
    {"reason", "cause"},
    {"fee", "charge"},
    {"club", "gym"},
    {"plan", "subscription", "tariff"},
    {"distance", "km"},
    {"km", "kilometer", "kilometre"},
    {"charge", "level"},
    {"method", "mode"},
    {"genre", "category"},
    {"doctor", "physician"},
    {"driver", "chauffeur"},
)

ROWS_OTHERWISE = {
    "film": ("movie", "movy"),
    "movie": ("film",),
    "booking": ("reservation",),
    "reservation": ("booking",),
    "customer": ("client",),
    "client": ("customer",),
    "visit": ("appointment",),
    "expense": ("expenditure",),
}
"""What the rows of a table are also called."""
