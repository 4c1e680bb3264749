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

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import exp, log, log1p
from operator import mul, truediv
from statistics import NormalDist

import msgspec

BUCKETS = 256
FASTEST_MS, SLOWEST_MS = 0.05, 120_000.0
_PER_LOG = BUCKETS / (log(SLOWEST_MS) - log(FASTEST_MS))
_LOG_FASTEST = log(FASTEST_MS)

SHIFT_UNIT = 0.1
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
STEEPEST_FACTOR, GENTLEST_FACTOR = exp(STEEPEST), exp(-STEEPEST)
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
        if age < BLOCK_S or age >= LONGEST_BLOCK_S:
            return age >= LONGEST_BLOCK_S
        answered = stable = 0
        for part in self.parts.values():
            answered += sum(part.candidate_ask.values())
            stable += sum(part.stable.values())
        return answered > 0 and answered + stable >= BLOCK_REQUESTS


class Reference(msgspec.Struct):
    """The stable release's recent latency distribution, forgetting with a half-life of ten minutes."""

    counts: list[float] = msgspec.field(default_factory=lambda: [0.0] * BUCKETS)
    size: float = 0.0

    def learn(self, seen: Mapping[int, int], elapsed_s: float) -> None:
        """Forget for `elapsed_s` seconds, then add `seen`."""
        keep = 0.5 ** (max(elapsed_s, 0.0) / REFERENCE_HALF_LIFE_S)
        if keep < 1.0:
            self.counts = [count and count * keep for count in self.counts]
        for index, number in seen.items():
            self.counts[index] += number
        self.size = sum(self.counts)

    def quantile_ms(self, q: float) -> float:
        """The `q` quantile in milliseconds, 0 while nothing is known."""
        wanted = q * self.size
        at_or_below = list(accumulate(self.counts))
        index = bisect_left(at_or_below, wanted) if wanted > 0 else BUCKETS
        if index == BUCKETS:
            return 0.0
        below = at_or_below[index - 1] if index else 0.0
        return bucket_ms(index + (wanted - below) / self.counts[index])


class Tilts:
    """e^t − 1 for the tilt t of every bucket under each alternative, given the reference (which is not empty).

    Kept for the buckets that the reference knows; a time between two of them gets the tilt of the faster one. The tilt
    is the log-likelihood ratio of a bucket less the log ratio of the mass at and below it. What is common to all
    buckets falls out of it, so a shift of d needs e^(d·score) alone, and an alternative about the slowest requests has
    no tilt before their quantile.
    """

    def __init__(self, reference: Reference) -> None:
        inv_cdf, size = NormalDist().inv_cdf, reference.size
        self.known = [index for index, count in enumerate(reference.counts) if count]
        mass = [reference.counts[index] / size for index in self.known]
        self.at_or_below = list(accumulate(mass))
        edge = 1 / (size + 1)
        within = 1 - edge
        unit = [
            exp(SHIFT_UNIT * inv_cdf(within * (below - share / 2) + edge / 2))
            for below, share in zip(self.at_or_below, mass, strict=True)
        ]
        doubled = list(map(mul, unit, unit))
        half = list(map(mul, map(mul, doubled, doubled), unit))
        whole = list(map(mul, half, half))
        twice = list(map(mul, whole, whole))
        self.of_shifts = [self._shift(likelier, mass) for likelier in (unit, doubled, half, whole, twice)]
        self.tails = [self._tail(quantile, times) for quantile, times in TAILS]
        self.slow_place = min(first for first, *_ in self.tails)

    def _shift(self, likelier: list[float], mass: list[float]) -> list[float]:
        """By place: `likelier` says how many times likelier each is under the alternative, up to a factor."""
        worse = accumulate(map(mul, likelier, mass))
        factors = list(map(truediv, map(mul, likelier, self.at_or_below), worse))
        if max(factors) > STEEPEST_FACTOR or min(factors) < GENTLEST_FACTOR:
            factors = list(map(cut, factors))
        return [factor - 1 for factor in factors]

    def _tail(self, quantile: float, times: float) -> tuple[int, float, float, float]:
        """The place where the tail begins, the mass before it, and how many times likelier a request is in it and
        before it."""
        first = bisect_right(self.at_or_below, quantile + 1e-9)
        before = self.at_or_below[first - 1] if first else 0.0
        tail = 1 - before
        return first, before, times, (1 - min(tail * times, 0.9)) / max(before, 0.1)

    def of_tails(self, place: int) -> list[float]:
        """At one place, for every alternative about the slowest requests."""
        fine = self.at_or_below[place]
        return [
            cut(more * fine / (less * before + more * (fine - before))) - 1 if place >= first else 0.0
            for first, before, more, less in self.tails
        ]


def cut(factor: float) -> float:
    """e^t for a tilt t within ±`STEEPEST`."""
    return GENTLEST_FACTOR if factor < GENTLEST_FACTOR else STEEPEST_FACTOR if factor > STEEPEST_FACTOR else factor


def block_factors(candidate: Mapping[int, int], stable: Mapping[int, int], tilts: Tilts) -> list[float]:
    """Log factors of one route in one block, one for each alternative; 0 when one side is empty."""
    left_mine, left = sum(candidate.values()), sum(candidate.values()) + sum(stable.values())
    known, slow_place = tilts.known, tilts.slow_place
    places: list[int] = []
    numbers: list[int] = []
    shares: list[float] = []
    own: list[tuple[int, int]] = []
    tails = [0.0] * len(TAILS)
    for index in sorted(candidate.keys() | stable.keys(), reverse=True):
        mine = candidate.get(index, 0)
        both = mine + stable.get(index, 0)
        if 0 < left_mine < left:
            share, place = left_mine / left, max(bisect_right(known, index) - 1, 0)
            places.append(place)
            numbers.append(both)
            shares.append(share)
            if mine:
                own.append((place, mine))
            if place >= slow_place:
                tails = [
                    factor + mine * log1p(more) - both * log1p(share * more)
                    for factor, more in zip(tails, tilts.of_tails(place), strict=True)
                ]
        left_mine -= mine
        left -= both
    shifts = [
        sum(mine * log1p(row[place]) for place, mine in own)
        - sum(map(mul, numbers, map(log1p, map(mul, shares, map(row.__getitem__, places)))))
        for row in tilts.of_shifts
    ]
    return [*shifts, *tails]


def sum_of(factors: Iterable[list[float]]) -> list[float]:
    """The log factors of a block: chance deals each route's requests out on its own, so their bets multiply."""
    return [sum(column) for column in zip(*factors, strict=True)]


def capped(factors: list[float], span_s: float) -> list[float]:
    """The factors with their gain limited to what a block of `span_s` seconds may say."""
    most = LOUDEST_BLOCK * max(1.0, span_s / BLOCK_S)
    return [min(factor, most) for factor in factors]
