"""No form of a secret comes through, whatever chunks it comes in; everything else does."""

from __future__ import annotations

import base64
import json
import random
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.environment.mask import MASK, Masker, forms

SECRET = "p4ss/w+rd=x\"y'z\\ü"


def masked(values: list[str], text: bytes, sizes: list[int] | None = None) -> bytes:
    masker = Masker(values)
    out, at, turn = b"", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)] if sizes else len(text)
        out += masker.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    return out + masker.end()


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps({"password": SECRET}),
        repr({"password": SECRET}),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(SECRET, safe="")),
        f"https://h/?key={quote(SECRET)}",
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        base64.b64encode(b"me:" + SECRET.encode() + b":more").decode(),
        base64.urlsafe_b64encode(b"a" + SECRET.encode()).decode(),
        SECRET.encode().hex(),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_secret_is_masked_in_every_form_and_chunk(form: str, size: int) -> None:
    out = masked([SECRET], f"before {form} after\n".encode(), [size])
    assert out.startswith(b"before ")
    assert out.endswith(b"after\n")
    assert MASK in out
    for each in forms(SECRET):
        assert each not in out


def test_the_password_of_an_address_is_masked_alone_too() -> None:
    address = "postgresql://me:geheim%21wort@db:5432/shop"
    assert (
        masked([address], b"tried geheim!wort and geheim%21wort at db:5432").decode() == "tried ••• and ••• at db:5432"
    )


def test_each_line_of_a_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIBVQIBADANBgkqhkiG9w0BAQ\nxyzxyzxyzxyzxyz12345\n-----END KEY-----\n"
    assert "MIIB" not in masked([key], b"line: MIIBVQIBADANBgkqhkiG9w0BAQ\n").decode()
    assert "xyz" not in masked([key], b"xyzxyzxyzxyzxyz12345").decode()


def test_a_short_value_does_not_take_words_out_of_lines() -> None:
    assert masked(["5432", "true"], b"port 5432, debug true").decode() == "port 5432, debug true"


def test_a_very_long_value_is_masked_and_little_is_held_back() -> None:
    value = "".join(random.Random(1).choices("abcdefghij", k=1_000_000))
    masker = Masker([value])
    out = b""
    for start in range(0, len(value), 4096):
        out += masker.feed(value[start : start + 4096].encode())
        assert masker.held_bytes < 512
    assert set(out + masker.end()) <= set(MASK)


_VALUES = ["sesame-street", "aaaaaaab", "aaaaaaabb", "line one is long\nline two is longer", SECRET]
_FORMS = [form for value in _VALUES for form in forms(value) if len(form) >= 6]
_PART = st.one_of(
    st.sampled_from(_FORMS),
    st.builds(lambda form, k: form[:k], st.sampled_from(_FORMS), st.integers(1, 12)),
    st.binary(max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PART, max_size=12), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_chunks_make_no_difference_and_nothing_secret_is_left(parts: list[bytes], sizes: list[int]) -> None:
    text = b"".join(parts)
    out = masked(_VALUES, text, sizes)
    assert out == masked(_VALUES, text)
    assert not [form for form in _FORMS if form in out]


@given(st.text(alphabet="xyzXYZ0123 \n", max_size=300))
def test_text_without_secrets_comes_through_as_it_was(text: str) -> None:
    assert masked(["never-there-at-all"], text.encode(), [5]) == text.encode()
