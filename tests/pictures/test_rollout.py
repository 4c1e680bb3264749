"""The picture of a rollout: well-formed, within its bounds, nothing over anything else."""

from __future__ import annotations

import struct
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.pictures.rollout import draw
from underway.pictures.sheet import Theme, width_of
from underway.terms.record import Moment, Record, SideRecord
from underway.terms.verdict import Action, Verdict

MEASURES = ("more errors", "slower", "few enough errors", "fast enough")
SVG = "{http://www.w3.org/2000/svg}"


def record(moments: list[Moment], **fields: Any) -> Record:
    usual: dict[str, Any] = {
        "began_at": 1000.0,
        "ended_at": 1000.0 + (moments[-1].at_s if moments else 0),
        "candidate": SideRecord(release="6ag344vw29", served=1_234_567, failed=7, p95_ms=5_432.1),
        "stable": SideRecord(release="6ag341c0ak", served=9_876_543, failed=1, p95_ms=43.2),
        "moments": tuple(moments),
        "measures": MEASURES,
        "needed": (333.0, 500.0, 20.0, 20.0),
    }
    return Record(**{**usual, **fields})


def moments(count: int) -> list[Moment]:
    return [
        Moment(
            at_s=float(n),
            share=0.1 if n < count / 2 else 0.5,
            served=n % 7,
            failed=n % 2,
            p95_ms=20.0 + n % 5,
            stable_served=50,
            stable_p95_ms=22.0,
            strengths=(0.5 * 1.2**n, 0.5, 1.0 + n, 2.0 + n),
        )
        for n in range(count)
    ]


def verdict(**fields: Any) -> Verdict:
    because = "7 of 38 requests failed on 6ag344vw29, 1 of 912 on 6ag341c0ak in the same 37 s"
    return Verdict(**{"action": Action.ROLL_BACK, "because": because, **fields})


@pytest.mark.parametrize("width", [320, 380, 760, 1200])
@pytest.mark.parametrize("count", [0, 1, 2, 40, 300])
def test_no_text_leaves_the_picture_or_lies_on_another(width: int, count: int) -> None:
    svg = draw("shop", record(moments(count)), verdict(), 1000.0 + count, width=width)
    picture = ElementTree.fromstring(svg)
    height = float(picture.attrib["height"])
    boxes = []
    for text in picture.iter(f"{SVG}text"):
        size, x, y = (float(text.attrib[name]) for name in ("font-size", "x", "y"))
        # how wide it is drawn: the sheet reckons with a little more, so that it never runs over
        wide = 0.9 * width_of(text.text or "", size)
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.attrib["text-anchor"]]
        assert left >= 0, text.text
        assert left + wide <= width, text.text
        assert 0 < y <= height, text.text
        boxes.append((left, left + wide, y - 0.7 * size, y, text.text))
    for one, two in combinations(boxes, 2):
        is_apart = one[1] <= two[0] or two[1] <= one[0] or one[3] <= two[2] or two[3] <= one[2]
        assert is_apart, (one[4], two[4])


@settings(max_examples=40, deadline=None)
@given(
    st.text(max_size=300),
    st.lists(
        st.builds(
            Moment,
            at_s=st.floats(0, 1e6),
            share=st.floats(0, 1),
            served=st.integers(0, 10**9),
            failed=st.integers(0, 10**9),
            p95_ms=st.floats(0, 1e7),
            strengths=st.lists(st.floats(0, 1e300), max_size=4).map(tuple),
        ),
        max_size=20,
    ),
)
def test_any_record_makes_a_picture_that_can_be_read(because: str, found: list[Moment]) -> None:
    found.sort(key=lambda moment: moment.at_s)
    svg = draw("shop", record(found), verdict(because=because), 1000.0)
    assert "nan" not in svg
    ElementTree.fromstring(svg)


def test_what_an_app_says_cannot_become_markup() -> None:
    svg = draw("shop", record(moments(3)), verdict(because="</text><script>alert(1)</script>&\x00"), 1003.0)
    assert "<script" not in svg
    assert "&lt;script" in svg


def test_it_follows_its_reader_or_is_what_was_asked_for() -> None:
    pictures = {theme: draw("shop", record(moments(3)), verdict(), 1003.0, theme=theme) for theme in Theme}
    assert "prefers-color-scheme: dark" in pictures[Theme.AUTO]
    assert "prefers" not in pictures[Theme.LIGHT] + pictures[Theme.DARK]
    assert pictures[Theme.LIGHT] != pictures[Theme.DARK]


def test_as_a_bitmap_it_has_twice_the_pixels_and_its_letters() -> None:
    from underway.cli.explain import bitmap

    png = bitmap(draw("shop", record(moments(40)), verdict(), 1040.0, width=400, theme=Theme.LIGHT))
    without = bitmap(draw("", record(moments(40)), verdict(because="x"), 1040.0, width=400, theme=Theme.LIGHT))
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", png[16:20])[0] == 800
    assert len(png) > len(without) + 500, "text is drawn, so there is a font"
