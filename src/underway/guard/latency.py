"""Is the candidate slower than the release it replaces, among the requests of the same seconds?

Requests are gathered in blocks of about ten seconds, the candidate's times divided by the tolerance, and within a block
by route: visitors keep their release, so the few people of a small share may simply use other pages, and a page is only
compared with itself. Go through the requests of a route from its slowest down and ask each time: of those that remain,
which share is the candidate's, and is the next one the candidate's more often than that? If the candidate is fine,
it is chance which k of the n were its own, so the number a among the m requests of one bucket is hypergeometric, and
e^(t·a) / (1 − w + w·e^t)^m with w = k/n is a fair or losing bet for every t (Hoeffding 1963, theorem 4: drawing without
replacement is at most as extreme as with). So each block is an honest bet whatever the day, the load, the shape of the
distribution or the share of traffic that really arrived; those only decide how fast it wins. The tilt t of each bucket
is the log-likelihood ratio of being the next in line (a log hazard ratio) for "all times shifted" and "more of the
slowest requests", against the stable release's own recent distribution over all routes. Going route by route is the
stratified log-rank test (Mantel 1966) with these weights.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import exp, expm1, log, log1p
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
MOST_ROUTES = 64
STEEPEST = 4.0
"""Tilts are cut here."""
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


class Part(msgspec.Struct):
    """One route's requests in a block: how many in each bucket. The candidate's are kept at both tolerances."""

    candidate_ask: dict[int, int] = msgspec.field(default_factory=dict)
    candidate_back: dict[int, int] = msgspec.field(default_factory=dict)
    stable: dict[int, int] = msgspec.field(default_factory=dict)


class Block(msgspec.Struct):
    """The requests of about ten seconds, by route."""

    began_at: float
    parts: dict[str, Part] = msgspec.field(default_factory=dict)

    def part(self, route: str) -> Part:
        """Where a request of `route` is counted. Beyond `MOST_ROUTES` all others share one place."""
        found = self.parts.get(route)
        if found is None:
            found = self.parts.setdefault(route if len(self.parts) < MOST_ROUTES else "", Part())
        return found

    def is_due(self, now: float) -> bool:
        """Long enough and full enough. Looks at the clock and at counts, never at times: so it cannot bias the bet."""
        age = now - self.began_at
        if age < BLOCK_S:
            return False
        answered = sum(sum(part.candidate_ask.values()) for part in self.parts.values())
        stable = sum(sum(part.stable.values()) for part in self.parts.values())
        return age >= LONGEST_BLOCK_S or (answered > 0 and answered + stable >= BLOCK_REQUESTS)


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


class Tilts:
    """The tilt t of every bucket under each alternative with e^t − 1, given the reference (which is not empty).

    Kept for the buckets that the reference knows; a time between two of them gets the tilt of the faster one.
    """

    def __init__(self, reference: Reference) -> None:
        normal = NormalDist()
        self.known = [index for index, count in enumerate(reference.counts) if count]
        mass = [reference.counts[index] / reference.size for index in self.known]
        at_or_below = list(accumulate(mass))
        edge = 1 / (reference.size + 1)
        scores = [
            normal.inv_cdf((1 - edge) * (below - share / 2) + edge / 2)
            for below, share in zip(at_or_below, mass, strict=True)
        ]
        rows = [_tilts([d * score - d * d / 2 for score in scores], mass, at_or_below) for d in SHIFTS]
        for quantile, times in TAILS:
            first = bisect_right(at_or_below, quantile + 1e-9)
            tail = 1 - at_or_below[first - 1] if first else 1.0
            more, less = log(times), log((1 - min(tail * times, 0.9)) / max(1 - tail, 0.1))
            rows.append(_tilts([less] * first + [more] * (len(mass) - first), mass, at_or_below))
        self.columns = [[(tilt, expm1(tilt)) for tilt in column] for column in zip(*rows, strict=True)]

    def place(self, index: int) -> int:
        """The number of the column for bucket `index`."""
        return max(bisect_right(self.known, index) - 1, 0)


def _tilts(ratios: list[float], mass: list[float], at_or_below: list[float]) -> list[float]:
    """Log hazard ratios from log-likelihood ratios: each less the log ratio of the mass at and below the bucket."""
    worse = accumulate(share * exp(ratio) for ratio, share in zip(ratios, mass, strict=True))
    tilts = [ratio - log(bad / fine) for ratio, bad, fine in zip(ratios, worse, at_or_below, strict=True)]
    return [-STEEPEST if tilt < -STEEPEST else STEEPEST if tilt > STEEPEST else tilt for tilt in tilts]


def block_factors(candidate: Mapping[int, int], stable: Mapping[int, int], tilts: Tilts) -> list[float]:
    """Log factors of one route in one block, one for each alternative; 0 when one side is empty."""
    left_mine, left = sum(candidate.values()), sum(candidate.values()) + sum(stable.values())
    factors = [0.0] * ALTERNATIVES
    for index in sorted(candidate.keys() | stable.keys(), reverse=True):
        mine = candidate.get(index, 0)
        both = mine + stable.get(index, 0)
        share = left_mine / left
        if 0 < share < 1:
            column = tilts.columns[tilts.place(index)]
            factors = [
                factor + tilt * mine - both * log1p(share * more)
                for factor, (tilt, more) in zip(factors, column, strict=True)
            ]
        left_mine -= mine
        left -= both
    return factors


def sum_of(factors: Iterable[list[float]]) -> list[float]:
    """The log factors of a block: chance deals each route's requests out on its own, so their bets multiply."""
    return [sum(column) for column in zip(*factors, strict=True)]


def capped(factors: list[float], span_s: float) -> list[float]:
    """The factors with their gain limited to what a block of `span_s` seconds may say."""
    most = LOUDEST_BLOCK * max(1.0, span_s / BLOCK_S)
    return [min(factor, most) for factor in factors]
