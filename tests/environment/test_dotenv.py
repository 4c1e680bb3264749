"""`.env` files are read as python-dotenv reads them, byte for byte of fuzz."""

from __future__ import annotations

import io
import logging
import time

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.environment.dotenv import parse, read, write

logging.getLogger("dotenv").setLevel(logging.CRITICAL)

_PIECES = [
    "A", "KEY", "B=", "=", "'", '"', "\\", "\n", "\r\n", "\r", " ", "\t", "#", "export ", "$", "${A}", "${A:-x}", "${",
    "}", "$A", "é", "\x00", "\ufeff", "x", "\\n", '\\"', "\\'", "-", ".", ":", "\x0b", "\u2028", "1", "${KEY:-}",
]  # fmt: skip


def theirs(text: str) -> dict[str, str | None]:
    return dict(dotenv_values(stream=io.StringIO(text, newline=""), interpolate=True))


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=30))
def test_it_reads_what_python_dotenv_reads(pieces: list[str]) -> None:
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("A", "KEY", "B", "x", "1"):
            patch.delenv(name, raising=False)
        assert read(text) == theirs(text)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_and_so_with_any_text(text: str) -> None:
    assert read(text, is_expanding=False) == dict(
        dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)
    )


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60),
    )
)
def test_what_is_written_reads_back_in_both(values: dict[str, str]) -> None:
    text = write(values)
    assert read(text, is_expanding=False) == values
    assert dict(dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)) == values


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_value_of_a_megabyte_is_read_in_a_moment(quote: str) -> None:
    value = "abc\\d " * 170_000 if quote else "abcd" * 250_000
    began = time.process_time()
    found = read(f"BIG={quote}{value}{quote}\nNEXT=1\n")
    assert time.process_time() - began < 2
    assert found["NEXT"] == "1"
    assert found == theirs(f"BIG={quote}{value}{quote}\nNEXT=1\n")


def test_a_line_that_cannot_be_read_is_told_with_its_number() -> None:
    lines = list(parse("A=1\nB='open\nC=3\n"))
    assert [(line.name, line.number) for line in lines] == [("A", 1), (None, 2), ("C", 3)]


def test_names_come_from_above_and_then_from_the_environment_given() -> None:
    assert read("A=1\nB=${A}-${C:-none}-${D}", {"D": "d", "A": "never"})["B"] == "1-none-d"
