from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underway.drivers.router.share import share_text, share_value


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0000"), (0.05, "0ccc"), (0.25, "4000"), (0.5, "8000"), (1.0, "g"), (1e-9, "0001"), (1 - 1e-9, "ffff")],
)
def test_a_share_is_a_threshold_of_four_hex_digits(share: float, text: str) -> None:
    assert share_text(share) == text


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_never_has_a_smaller_threshold(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert share_text(low) <= share_text(high)
    assert abs(share_value(share_text(one)) - one) <= 1 / 65_536


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_share_is_not_written(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        share_text(share)


@pytest.mark.parametrize("text", ["", "zzz", "8000\n", "G", "80", "gg", "-001"])
def test_what_is_no_threshold_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="not a share"):
        share_value(text)
