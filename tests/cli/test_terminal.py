"""What does not fit into a terminal goes on in the next line, readable."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from underway.cli.render.terminal import folded


def test_a_long_line_goes_on_after_a_whole_word_indented() -> None:
    text = "✓ goes live   9.8 s  0 of 528 requests failed on new; 0 of 828 on old"
    assert folded(text, 40) == [
        "✓ goes live   9.8 s  0 of 528 requests",
        "  failed on new; 0 of 828 on old",
    ]
    assert folded("    http://a.example/with/a/long/path is it", 20) == [
        "    http://a.example/with/a/long/path",
        "      is it",
    ]


def test_a_paragraph_goes_on_below_its_beginning() -> None:
    text = "\x1b[32m✓\x1b[0m the new release is as good as the old one"
    assert folded(f"  {text}", 26, "    ") == [
        "  \x1b[32m✓\x1b[0m the new release is as",
        "    good as the old one",
    ]


def test_colours_take_no_room() -> None:
    text = "\x1b[32m✓\x1b[0m one two"
    assert folded(text, 9) == [text]
    assert folded(text, 8) == ["\x1b[32m✓\x1b[0m one", "  two"]


@given(st.text("ab \x1b", max_size=60), st.integers(4, 30))
def test_no_word_is_lost_and_no_line_without_need_too_wide(text: str, width: int) -> None:
    lines = folded(text, width)
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert len(line) <= width or len(line.split()) <= 1 or not re.search(r"\S", line)
