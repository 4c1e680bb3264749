"""What would have been noticed: the smallest rise of the error rate that this traffic shows with 95 % probability."""

from __future__ import annotations

from math import log, sqrt

from underway.guard.errors import SEVERITY_PRIORS, error_odds
from underway.guard.evidence import Evidence
from underway.guard.policy import Policy
from underway.guard.rates import grid
from underway.guard.wager import OPENING_STAKE

Z95 = 1.645
"""One-sided 95 % of the normal distribution."""


def detectable_rate(policy: Policy, state: Evidence) -> float | None:
    """The error rate that would have been told from the stable release's with 95 % probability, None if not even 100 %.

    Normal approximation of the bet's growth over the requests that came, at the weights at which they came: rate r is
    noticed when mean − 1.645 · deviation of some alternative reaches its share of the threshold. Bisection on r.
    """
    if not _is_noticed(policy, state, 1.0):
        return None
    low, high = grid(state.baseline.error_rate), 1.0
    while high / low > 1.02:
        middle = sqrt(low * high)
        low, high = (low, middle) if _is_noticed(policy, state, middle) else (middle, high)
    return high


def _is_noticed(policy: Policy, state: Evidence, rate: float) -> bool:
    usual = grid(state.baseline.error_rate)
    margins = policy.margins
    means = [0.0] * len(SEVERITY_PRIORS)
    variances = [0.0] * len(SEVERITY_PRIORS)
    for weight, requests in state.at_weights:
        if not 0 < weight < 1:
            continue
        odds = error_odds(weight, usual, margins.error_ratio, margins.error_margin)
        beside = (1 - weight) / weight * requests
        for j, (cf, cg, sf, sg) in enumerate(
            zip(odds.candidate_failed, odds.candidate_ok, odds.stable_failed, odds.stable_ok, strict=True)
        ):
            means[j] += requests * (rate * cf + (1 - rate) * cg) + beside * (usual * sf + (1 - usual) * sg)
            variances[j] += requests * rate * (1 - rate) * (cf - cg) ** 2
            variances[j] += beside * usual * (1 - usual) * (sf - sg) ** 2
    return any(
        mean - Z95 * sqrt(variance) >= log(1 / (policy.error_alpha * prior * OPENING_STAKE))
        for mean, variance, prior in zip(means, variances, SEVERITY_PRIORS, strict=True)
    )
