"""No secret is in what is told, however it was written and however it came."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.agents.masking import MASK, Forms, Masker

SECRET = 's3cr3t/Va+lue & "quo\'ted" é'
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----\n"
LONG = "".join(chr(33 + n * 7 % 90) for n in range(300))


def chunked(text: str, secrets: list[str], size: int) -> str:
    masker = Masker(secrets)
    told = [masker.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*told, masker.finish()])


WRITTEN = {
    "as it is": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 after one byte": base64.b64encode(b"x" + SECRET.encode()).decode(),
    "base64 after two bytes": base64.b64encode(b"u:" + SECRET.encode() + b"\n").decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "JSON": json.dumps({"token": SECRET}),
    "JSON without ASCII": json.dumps({"token": SECRET}, ensure_ascii=False),
    "JSON in JSON": json.dumps(json.dumps(SECRET)),
    "URL": quote(SECRET, safe=""),
    "URL with slashes": quote(SECRET),
    "form": quote_plus(SECRET),
    "URL in small letters": quote(SECRET, safe="")
    .replace("%2F", "%2f")
    .replace("%2B", "%2b")
    .replace("%C3%A9", "%c3%a9"),
    "shell": "'" + SECRET.replace("'", "'\\''") + "'",
    "hexadecimal": SECRET.encode().hex(),
}
TELLING = ("s3cr3t", "Va+lue", "quo", base64.b64encode(SECRET.encode()).decode()[4:12], "733363723374")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("form", WRITTEN)
def test_a_secret_is_hidden_in_every_form_and_in_pieces_of_any_size(form: str, size: int) -> None:
    told = chunked(f"before {WRITTEN[form]} after", [SECRET], size)
    assert MASK in told and told.startswith("before ") and told.endswith(" after")
    assert [part for part in TELLING if part in told] == []


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_every_line_of_a_secret_of_many_lines_is_hidden(size: int) -> None:
    for text in (PEM, PEM.replace("\n", "\r\n"), json.dumps(PEM), "\n".join(f"> {line}" for line in PEM.splitlines())):
        told = chunked(text, [PEM], size)
        assert "MIIEvQ" not in told and "BKcwgg" not in told


@pytest.mark.parametrize("width", [76, 64])
def test_base64_in_lines_is_hidden(width: int) -> None:
    whole = base64.b64encode(LONG.encode()).decode()
    wrapped = "\n".join(whole[at : at + width] for at in range(0, len(whole), width))
    told = chunked(wrapped, [LONG], 10)
    assert [whole[at : at + 12] for at in range(0, len(whole) - 12, 12) if whole[at : at + 12] in told] == []


def test_of_two_secrets_the_longer_is_hidden_whole() -> None:
    assert chunked("abcdefgh abc", ["abc", "abcdefgh"], 1) == f"{MASK} {MASK}"


def test_without_secrets_nothing_changes_and_nothing_is_kept_back() -> None:
    masker = Masker([])
    assert masker.feed("text") == "text" and masker.finish() == ""
    assert Masker([""]).feed("text") == "text"


def test_text_that_only_begins_like_a_secret_is_told_in_the_end() -> None:
    masker = Masker(["password"])
    assert masker.feed("my pass") == "my "
    assert masker.feed("age") == "passage"
    assert masker.feed(" passwor") + masker.finish() == " passwor"


letters = st.text(alphabet="ab\n", min_size=1, max_size=6)


@given(st.lists(letters, max_size=3), st.lists(st.text(alphabet="ab\nc", max_size=8), max_size=12))
def test_text_in_pieces_is_told_like_the_whole(secrets: list[str], pieces: list[str]) -> None:
    masker = Masker(secrets)
    told = "".join([*map(masker.feed, pieces), masker.finish()])
    assert told == Masker(secrets).mask("".join(pieces))


@given(st.lists(letters, max_size=4), st.text(alphabet="ab\nc", max_size=40))
def test_of_what_begins_at_one_place_the_longest_is_hidden(secrets: list[str], text: str) -> None:
    forms = sorted(Forms(secrets)._sorted, key=len, reverse=True)
    wanted = re.sub("|".join(map(re.escape, forms)), MASK, text) if forms else text
    assert Masker(secrets).mask(text) == wanted


@pytest.mark.parametrize("size", [100, 5000])
def test_keys_of_very_many_lines_are_hidden_as_they_are_and_as_a_whole_in_base64(size: int) -> None:
    key = "\n".join(f"{n * 7919:08x}{'KEY' * 18}" for n in range(900))
    written = {"as it is": key, "reversed": "\n".join(key.split("\n")[::-1]), "JSON": json.dumps(key)}
    for text in (*written.values(), base64.b64encode(key.encode()).decode()):
        told = chunked(f"before {text} after", [key], size)
        assert told.startswith("before ") and told.endswith(" after")
        assert not re.search("KEYKEY|S0VZS0VZ|tFWUtFW|LRVlLRV", told)


def test_another_masker_of_the_same_secrets_keeps_nothing_of_the_first() -> None:
    masker = Masker(["password"])
    assert masker.feed("passw") == ""
    assert masker.another().feed("ord x") == "ord x"
    assert masker.feed("ord") + masker.finish() == MASK


@settings(deadline=None)
@given(st.text(min_size=8, max_size=60).filter(lambda text: len(text.strip()) >= 8), st.integers(1, 9), st.data())
def test_no_piece_of_a_secret_comes_through(secret: str, size: int, data: st.DataObject) -> None:
    if MASK in secret or secret.strip("*") == "":
        return
    forms = [secret, json.dumps(secret), quote(secret, safe=""), base64.b64encode(secret.encode()).decode()]
    written = data.draw(st.sampled_from(forms))
    told = chunked(f"<{written}>", [secret], size)
    assert written not in told and secret not in told
