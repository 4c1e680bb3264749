"""How a rollout went, second by second, in bounded space: the older it is, the coarser."""

from __future__ import annotations

import msgspec

from underway.observe.counting import Kind
from underway.observe.ledger import ReleaseLedger
from underway.terms.record import Moment, SideRecord
from underway.terms.route import Request
from underway.terms.sketch import Sketch

MOMENTS = 300
LEAST_TIMED = 20
"""Fewer requests on either side say nothing of a change of p95."""


class Side(msgspec.Struct):
    """One release: all its requests, those since the last moment, its memory and restarts."""

    whole: ReleaseLedger = msgspec.field(default_factory=ReleaseLedger)
    served: int = 0
    failed: int = 0
    took: Sketch = msgspec.field(default_factory=Sketch)
    memory_first_bytes: int = 0
    memory_last_bytes: int = 0
    memory_most_bytes: int = 0
    restarts: int = 0

    def add(self, request: Request, kind: Kind) -> None:
        self.whole.add(request, kind)
        if kind is Kind.FAILED:
            self.failed += 1
        elif kind in (Kind.GOOD, Kind.STREAM):
            self.served += 1
        if kind is Kind.GOOD:
            self.took.add(request.took_ms)

    def note(self, memory_bytes: int, restarts: int) -> None:
        self.restarts = max(self.restarts, restarts)
        if memory_bytes:
            self.memory_first_bytes = self.memory_first_bytes or memory_bytes
            self.memory_last_bytes = memory_bytes
            self.memory_most_bytes = max(self.memory_most_bytes, memory_bytes)

    def record(self, release: str) -> SideRecord:
        traffic = self.whole.traffic()
        return SideRecord(
            release=release,
            served=traffic.served,
            failed=traffic.failed,
            gone=self.whole.gone,
            left_out=self.whole.left_out,
            p50_ms=traffic.p50_ms,
            p95_ms=traffic.p95_ms,
            p99_ms=traffic.p99_ms,
            users_touched=traffic.users_touched,
            memory_first_bytes=self.memory_first_bytes,
            memory_last_bytes=self.memory_last_bytes,
            memory_most_bytes=self.memory_most_bytes,
            restarts=self.restarts,
        )


class Chronicle(msgspec.Struct):
    """Both releases over time, `began_at` (seconds since the epoch) on; `noted_s` after it is the last tick."""

    began_at: float = 0.0
    noted_s: float = 0.0
    every_s: float = 1.0
    candidate: Side = msgspec.field(default_factory=Side)
    stable: Side = msgspec.field(default_factory=Side)
    moments: list[Moment] = msgspec.field(default_factory=list)

    def side(self, is_candidate: bool) -> Side:
        return self.candidate if is_candidate else self.stable

    def note(self, now: float, share: float, strengths: tuple[float, ...]) -> None:
        """A tick passed: what was added since the last one came in between."""
        self.began_at = self.began_at or now
        at_s, self.noted_s = self.noted_s, max(self.noted_s, now - self.began_at)
        if self.moments and at_s < self.moments[-1].at_s + self.every_s and share == self.moments[-1].share:
            _extend(self.moments[-1], self.candidate, self.stable, strengths)
        else:
            moment = Moment(at_s=round(at_s, 2), share=share)
            _extend(moment, self.candidate, self.stable, strengths)
            self.moments.append(moment)
            if len(self.moments) > MOMENTS:
                self.moments, self.every_s = coarser(self.moments), 2 * self.every_s
            if len(self.moments) > MOMENTS:  # the share moved at nearly every tick
                self.moments = coarser(self.moments, is_across=True)

    def p95_change(self) -> float | None:
        """0.2 for a candidate whose p95 is 20 % longer; None with too few requests to say."""
        mine, theirs = self.candidate.whole.took, self.stable.whole.took
        if min(mine.count, theirs.count) < LEAST_TIMED:
            return None
        return round(mine.quantile_ms(0.95) / theirs.quantile_ms(0.95) - 1, 4)


def is_visitors(request: Request, is_candidate: bool) -> bool:
    """False for our own probes, and for who asked for the candidate by its name."""
    return not request.is_monitor and not (is_candidate and request.share_of_b is None)


def _extend(moment: Moment, candidate: Side, stable: Side, strengths: tuple[float, ...]) -> None:
    """Add what both sides gathered since the last time to the moment, and let them gather anew."""
    seen = Moment(
        at_s=moment.at_s,
        share=moment.share,
        served=candidate.served,
        failed=candidate.failed,
        p95_ms=round(candidate.took.quantile_ms(0.95), 1),
        stable_served=stable.served,
        stable_failed=stable.failed,
        stable_p95_ms=round(stable.took.quantile_ms(0.95), 1),
        memory_bytes=candidate.memory_last_bytes,
        stable_memory_bytes=stable.memory_last_bytes,
        strengths=strengths,
    )
    absorb(moment, seen)
    for side in (candidate, stable):
        side.served, side.failed, side.took = 0, 0, Sketch()


def absorb(moment: Moment, later: Moment) -> None:
    """Make `moment` longer by `later`. Its p95 becomes the mean of both, weighted by their requests."""
    moment.p95_ms = _mean(moment.p95_ms, moment.served, later.p95_ms, later.served)
    moment.stable_p95_ms = _mean(moment.stable_p95_ms, moment.stable_served, later.stable_p95_ms, later.stable_served)
    moment.served += later.served
    moment.failed += later.failed
    moment.stable_served += later.stable_served
    moment.stable_failed += later.stable_failed
    moment.memory_bytes = later.memory_bytes or moment.memory_bytes
    moment.stable_memory_bytes = later.stable_memory_bytes or moment.stable_memory_bytes
    moment.strengths = later.strengths or moment.strengths


def _mean(one: float, of_one: int, two: float, of_two: int) -> float:
    weight = of_one * (one > 0) + of_two * (two > 0)
    return round((one * of_one * (one > 0) + two * of_two * (two > 0)) / weight, 1) if weight else max(one, two)


def coarser(moments: list[Moment], *, is_across: bool = False) -> list[Moment]:
    """About half as many: neighbours become one, those with different shares only with `is_across`."""
    found: list[Moment] = []
    is_first = True
    for moment in moments:
        if found and not is_first and (is_across or found[-1].share == moment.share):
            absorb(found[-1], moment)
            is_first = True
        else:
            found.append(msgspec.structs.replace(moment))
            is_first = False
    return found
