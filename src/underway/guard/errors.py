"""Does the candidate fail more than the release it replaces, at the same moment?

A request lands on the candidate with probability w, on the stable release with 1−w, and fails with the moment's own
probability p on the stable one; the candidate is *fine* while it fails with at most ρp + δ. Whatever p does over the
day, the factor (alternative's probability of what happened) / (that of the nearest fine pair) is a fair or losing bet:
the nearest fine pair is the reverse information projection, and the fine pairs are a convex set
(Turner, Ly, Grünwald 2024, "Generic e-variables for exact sequential k-sample tests"; Grünwald, de Heide, Koolen 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log

SEVERITIES = (0.01, 0.04, 0.2, 0.5, 0.9)
"""Alternatives: this share of the requests that should succeed fails. From a slow poison to a crash."""
SEVERITY_PRIORS = (0.10, 0.20, 0.20, 0.15, 0.35)
"""Crashes get the most: there every request counts, while a slow poison leaves time."""


@dataclass(frozen=True)
class ErrorOdds:
    """Logarithms of the factors, one for each severity, for each of the four things that can happen."""

    candidate_failed: tuple[float, ...]
    candidate_ok: tuple[float, ...]
    stable_failed: tuple[float, ...]
    stable_ok: tuple[float, ...]


@lru_cache(maxsize=256)
def error_odds(weight: float, stable_rate: float, ratio: float, margin: float) -> ErrorOdds:
    """The factors at candidate weight `weight` (strictly between 0 and 1) and a stable error rate on the `grid`."""
    tolerated = min(ratio * stable_rate + margin, 0.95)
    alternatives = [tolerated + (1 - tolerated) * severity for severity in SEVERITIES]
    fine = [nearest_fine(weight, rate, stable_rate, ratio, margin) for rate in alternatives]
    pairs = list(zip(alternatives, fine, strict=True))
    return ErrorOdds(
        candidate_failed=tuple(log(rate / near[0]) for rate, near in pairs),
        candidate_ok=tuple(log((1 - rate) / (1 - near[0])) for rate, near in pairs),
        stable_failed=tuple(log(stable_rate / near[1]) for _, near in pairs),
        stable_ok=tuple(log((1 - stable_rate) / (1 - near[1])) for _, near in pairs),
    )


def nearest_fine(weight: float, rate: float, stable_rate: float, ratio: float, margin: float) -> tuple[float, float]:
    """The fine pair (candidate's, stable's error rate) hardest to tell from (`rate`, `stable_rate`).

    It minimises w·KL(rate ‖ ρp+δ) + (1−w)·KL(stable_rate ‖ p), convex in p: bisection on the derivative.
    """
    low, high = stable_rate, (1 - margin) / ratio
    for _ in range(60):
        p = (low + high) / 2
        q = ratio * p + margin
        slope = weight * ratio * (q - rate) / (q * (1 - q)) + (1 - weight) * (p - stable_rate) / (p * (1 - p))
        low, high = (p, high) if slope < 0 else (low, p)
    p = (low + high) / 2
    return ratio * p + margin, p
