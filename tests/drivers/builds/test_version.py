from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underway.drivers.builds.version import accepts, parsed


@pytest.mark.parametrize(
    ("constraint", "admitted", "refused"),
    [
        ("", [(3, 8, 1), (3, 13, 0)], []),
        (">=3.11", [(3, 11, 0), (3, 13, 1)], [(3, 10, 9)]),
        (">=3.11,<3.13", [(3, 12, 9)], [(3, 13, 0), (3, 10, 1)]),
        (">= 3.11, < 3.13", [(3, 12, 9)], [(3, 13, 0)]),
        ("<=3.12", [(3, 12, 4), (3, 11, 0)], [(3, 13, 0)]),
        (">3.11", [(3, 12, 0)], [(3, 11, 7)]),
        (">3.11.2", [(3, 11, 7)], [(3, 11, 2)]),
        ("==3.11.4", [(3, 11, 7), (3, 11, 2)], [(3, 12, 0)]),
        ("==3.11.*", [(3, 11, 7)], [(3, 12, 0)]),
        ("3.11", [(3, 11, 7)], [(3, 12, 0)]),
        ("!=3.11.*", [(3, 12, 0)], [(3, 11, 7)]),
        ("!=3.9.7,>=3.9", [(3, 9, 8)], [(3, 9, 7), (3, 8, 1)]),
        ("~=3.11", [(3, 11, 0), (3, 13, 0)], [(3, 10, 0), (4, 0, 0)]),
        ("~=3.11.2", [(3, 11, 7)], [(3, 12, 0), (3, 11, 1)]),
        ("^3.11", [(3, 11, 0), (3, 13, 0)], [(3, 10, 0), (4, 0, 0)]),
        ("~3.11", [(3, 11, 9)], [(3, 12, 0)]),
        ("^3.9 || ^4.0", [(3, 9, 1), (4, 1, 0)], [(3, 8, 0)]),
        (">=3.8,<4.0", [(3, 13, 0)], [(4, 0, 0)]),
        ("*", [(3, 8, 0)], []),
        (">=3.12rc1", [(3, 12, 0)], [(3, 11, 0)]),
    ],
)
def test_constraints(constraint: str, admitted: list[tuple[int, ...]], refused: list[tuple[int, ...]]) -> None:
    assert [version for version in admitted if not accepts(constraint, version)] == []
    assert [version for version in refused if accepts(constraint, version)] == []


@given(st.text(max_size=40))
def test_no_text_is_a_crash(constraint: str) -> None:
    accepts(constraint, (3, 11, 7))
    parsed(constraint)
