"""The split of visitors, as the proxy reads it from a file at every request.

A visitor has a bucket: four hex digits, kept in a cookie while the split is between 0 and 1. The share of slot B
is a threshold in the same notation, and the visitor goes to B when `bucket < threshold` as strings. So a growing
share only ever moves visitors from A to B, and a shrinking one only from B to A.
"""

from __future__ import annotations

import re

BUCKETS = 65_536
NOBODY = "0000"
EVERYBODY = "g"
"""Sorts after every hex digit."""
SHARE_TEXT = re.compile(r"[0-9a-f]{4}|g")


def share_text(share_of_b: float) -> str:
    """The threshold for a share: `0000` for 0, `0ccc` for 0.05, `g` for 1.

    What is strictly between 0 and 1 stays so. Raises `ValueError` outside 0 to 1.
    """
    if not 0.0 <= share_of_b <= 1.0:
        raise ValueError(f"a share is between 0 and 1, not {share_of_b}")
    if share_of_b == 0.0:
        return NOBODY
    if share_of_b == 1.0:
        return EVERYBODY
    return f"{min(max(int(share_of_b * BUCKETS), 1), BUCKETS - 1):04x}"


def share_value(text: str) -> float:
    """The share that a threshold stands for. Raises `ValueError` for what `share_text` does not write."""
    if not SHARE_TEXT.fullmatch(text):
        raise ValueError(f"not a share: {text[:20]!r}")
    return 1.0 if text == EVERYBODY else int(text, 16) / BUCKETS
