"""Is the candidate slower than the release it replaces, among the requests of the same seconds?

Requests are gathered in blocks of about ten seconds. The candidate's times are first divided by the tolerance. If the
candidate is fine, then given *all* times of the block it is chance which of them were the candidate's: every choice
of k among n is equally likely. For any positive score L, the product of the candidate's scores divided by
(mean score of the whole block)^k is then worth at most 1 on average, because the mean product over all choices,
e_k(L)/C(n,k), is at most the mean to the power k (Maclaurin's inequality). So each block is a fair or losing bet, and
it needs no belief about the day, the load, the share of traffic that really arrived, or the shape of the distribution:
those only decide how fast it wins. The scores are likelihood ratios after Neyman and Pearson: "all times shifted" and
"more of the slowest requests", against the stable release's own recent distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log
from statistics import NormalDist

import msgspec

BUCKETS = 256
FASTEST_MS, SLOWEST_MS = 0.05, 120_000.0
_PER_LOG = BUCKETS / (log(SLOWEST_MS) - log(FASTEST_MS))
_LOG_FASTEST = log(FASTEST_MS)

SHIFTS = (0.1, 0.2, 0.5, 1.0, 2.0)
"""All requests slower, by so many standard deviations of the stable release's normal scores."""
TAILS = ((0.95, 2.0), (0.95, 4.0), (0.95, 8.0), (0.99, 5.0), (0.99, 20.0))
"""So many times as many requests beyond this quantile of the stable release."""
ALTERNATIVES = len(SHIFTS) + len(TAILS)
LATENCY_PRIORS = (1 / ALTERNATIVES,) * ALTERNATIVES

BLOCK_S, BLOCK_REQUESTS, LONGEST_BLOCK_S = 10.0, 20, 60.0
LOUDEST_BLOCK = 1.2
"""What ten seconds may add at most, as a logarithm: neighbours share their fate, and one burst may not decide."""
REFERENCE_HALF_LIFE_S = 600.0
LEAST_REFERENCE = 50.0
"""Requests of the stable release needed before latency is judged at all."""


def bucket(latency_ms: float, tolerance: float = 1.0) -> int:
    """The logarithmic bucket (5.9 % wide) of a time divided by `tolerance`."""
    index = int(position(latency_ms / tolerance))
    return min(max(index, 0), BUCKETS - 1)


def position(latency_ms: float) -> float:
    """A time in milliseconds as a place on the scale of buckets."""
    return (log(latency_ms) - _LOG_FASTEST) * _PER_LOG if latency_ms > FASTEST_MS else 0.0


def position_shift(times: float) -> float:
    """How far on the scale a time moves when it grows by the factor `times`."""
    return log(times) * _PER_LOG


def bucket_ms(index: float) -> float:
    """The time at the lower edge of a bucket, in milliseconds."""
    return exp(_LOG_FASTEST + index / _PER_LOG)


class Block(msgspec.Struct):
    """The requests of about ten seconds: how many in each bucket. The candidate's are kept at both tolerances."""

    began_at: float
    candidate_ask: dict[int, int] = msgspec.field(default_factory=dict)
    candidate_back: dict[int, int] = msgspec.field(default_factory=dict)
    stable: dict[int, int] = msgspec.field(default_factory=dict)

    def is_due(self, now: float) -> bool:
        """Long enough and full enough. Looks at the clock and at counts, never at times: so it cannot bias the bet."""
        age = now - self.began_at
        if age < BLOCK_S:
            return False
        answered = sum(self.candidate_back.values())
        return age >= LONGEST_BLOCK_S or (answered > 0 and answered + sum(self.stable.values()) >= BLOCK_REQUESTS)


class Reference(msgspec.Struct):
    """The stable release's recent latency distribution, forgetting with a half-life of ten minutes."""

    counts: list[float] = msgspec.field(default_factory=lambda: [0.0] * BUCKETS)
    size: float = 0.0

    def learn(self, seen: Mapping[int, int], elapsed_s: float) -> None:
        """Forget for `elapsed_s` seconds, then add `seen`."""
        keep = 0.5 ** (max(elapsed_s, 0.0) / REFERENCE_HALF_LIFE_S)
        self.counts = [count * keep for count in self.counts]
        for index, number in seen.items():
            self.counts[index] += number
        self.size = sum(self.counts)

    def quantile_ms(self, q: float) -> float:
        """The `q` quantile in milliseconds, 0 while nothing is known."""
        below = 0.0
        for index, count in enumerate(self.counts):
            if count and below + count >= q * self.size:
                return bucket_ms(index + (q * self.size - below) / count)
            below += count
        return 0.0


class Ranks:
    """Where each bucket lies in the reference: its normal score, and the mass at and beyond it."""

    def __init__(self, reference: Reference) -> None:
        normal = NormalDist()
        self.scores: list[float] = []
        self.beyond: list[float] = []
        below = 0.0
        for count in reference.counts:
            self.scores.append(normal.inv_cdf((below + count / 2 + 0.5) / (reference.size + 1)))
            self.beyond.append(1 - below / reference.size)
            below += count
        self.tails: list[tuple[int, float, float]] = []
        for quantile, times in TAILS:
            first = next((i for i, mass in enumerate(self.beyond) if mass <= 1 - quantile), BUCKETS)
            mass = self.beyond[first] if first < BUCKETS else 0.0
            self.tails.append((first, log(times), log((1 - min(mass * times, 0.9)) / (1 - mass))))

    def log_ratios(self, index: int) -> list[float]:
        """Log-likelihood ratio of a time in bucket `index`, one for each alternative."""
        score = self.scores[index]
        shifted = [d * score - d * d / 2 for d in SHIFTS]
        return shifted + [more if index >= first else less for first, more, less in self.tails]


def block_factors(candidate: Mapping[int, int], stable: Mapping[int, int], ranks: Ranks) -> list[float]:
    """Log factors of one block, one for each alternative; 0 when one side is empty."""
    k = sum(candidate.values())
    n = k + sum(stable.values())
    if not k or k == n:
        return [0.0] * ALTERNATIVES
    share = k / n
    won = [0.0] * ALTERNATIVES
    total = [0.0] * ALTERNATIVES
    for index in candidate.keys() | stable.keys():
        mine, theirs = candidate.get(index, 0), stable.get(index, 0)
        for j, ratio in enumerate(ranks.log_ratios(index)):
            odds = exp(max(ratio, -30.0))
            score = odds / (share * odds + 1 - share)
            total[j] += (mine + theirs) * score
            if mine:
                won[j] += mine * log(score)
    return [won[j] - k * log(total[j] / n) for j in range(ALTERNATIVES)]


def capped(factors: list[float], span_s: float) -> list[float]:
    """The factors with their gain limited to what a block of `span_s` seconds may say."""
    most = LOUDEST_BLOCK * max(1.0, span_s / BLOCK_S)
    return [min(factor, most) for factor in factors]
