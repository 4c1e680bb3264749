"""How others decide, in the same worlds: written from their published rules, with their documented example settings.

- Flagger (fluxcd.io/flagger, the example of its documentation): interval 1 min, step 10 %, up to 50 %, success rate at
  least 99 %, p99 at most 500 ms; a failed check or one without numbers counts, five in all roll back.
- Argo Rollouts (its documentation's success-rate template): 5, 25 and 50 % for ten minutes each, a measurement each
  minute succeeds at 95 %; more than three failures, or more than four errors (no numbers) in a row, abort.
- Kayenta (NetflixACAJudge): 10 % each for canary and a fresh baseline over 60 minutes; Mann–Whitney at 0.98 on the
  minutes' error rates and p95; a metric is "high" when the interval's lower end exceeds 25 % of the estimated shift.
- A ratio at every look: 5, 25 and 50 % for 100 s each; every ten seconds, more than 5 % failed in the last minute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, sqrt
from random import Random

from underway.guard.simulate.rollout import Ending
from underway.guard.simulate.worlds import LIMIT_MS, MEDIAN_MS, SPREAD, Fault, Weather, World, poisson

MOST_DRAWS = 400
"""A minute's p95 is taken from at most so many of its requests."""
KAYENTA_MINUTES = 60
Z98 = 2.326


@dataclass
class Seen:
    """What a peer's metrics say of one release over an interval."""

    requests: int = 0
    failed: int = 0
    slow: int = 0


Peer = Callable[[World, Fault, float, int], Ending]


class Course:
    """A simulated day, second by second, as counts."""

    def __init__(self, world: World, fault: Fault, rps: float, seed: int) -> None:
        self.chance = Random(seed)
        self.weather = Weather(world, fault, rps, self.chance)
        self.second = 0
        self.failed = 0
        self.sick_bucket = self.chance.random() if world.sick_client else 1.0

    def run(self, seconds: int, weight: float) -> Seen:
        """The candidate's requests in the next `seconds` at this weight."""
        seen = Seen()
        for _ in range(seconds):
            moment = self.weather.at(self.second, weight)
            bad = poisson(moment.rps * weight * moment.candidate_error, self.chance)
            if self.sick_bucket < weight:
                seen.requests += (looped := poisson(1.0, self.chance))
                seen.failed += looped
                self.failed -= looped
            good = poisson(moment.rps * weight * (1 - moment.candidate_error), self.chance)
            slow = poisson(good * self.weather.slow_share(moment, self.second, LIMIT_MS), self.chance) if good else 0
            seen.requests += bad + good
            seen.failed += bad
            seen.slow += min(slow, good)
            self.second += 1
        self.failed += seen.failed
        return seen

    def end(self, how: str, reason: str, promoted: bool = False) -> Ending:
        return Ending(how, reason, float(self.second), float(self.second) if promoted else None, self.failed)


def flagger(world: World, fault: Fault, rps: float, seed: int) -> Ending:
    course = Course(world, fault, rps, seed)
    weight, failed_checks = 0.10, 0
    while course.second < 7200:
        seen = course.run(60, weight)
        if failed_checks >= 5:
            return course.end("rolled-back", "failed checks")
        is_fine = seen.requests > 0 and seen.failed <= 0.01 * seen.requests and seen.slow <= 0.01 * seen.requests
        if not is_fine:
            failed_checks += 1
        elif weight >= 0.5:
            return course.end("promoted", "max weight", promoted=True)
        else:
            weight += 0.10
    return course.end("paused", "horizon")


def argo(world: World, fault: Fault, rps: float, seed: int) -> Ending:
    course = Course(world, fault, rps, seed)
    failures = errors_in_a_row = 0
    for weight in (0.05, 0.25, 0.5):
        for _ in range(10):
            seen = course.run(60, weight)
            if not seen.requests:
                errors_in_a_row += 1
            else:
                errors_in_a_row = 0
                failures += seen.failed > 0.05 * seen.requests
            if failures > 3 or errors_in_a_row > 4:
                return course.end("rolled-back", "failures" if failures > 3 else "no numbers")
    return course.end("promoted", "steps done", promoted=True)


def ratio_at_every_look(world: World, fault: Fault, rps: float, seed: int) -> Ending:
    course = Course(world, fault, rps, seed)
    window: deque[Seen] = deque(maxlen=6)
    for weight in (0.05, 0.25, 0.5):
        for _ in range(10):
            window.append(course.run(10, weight))
            if sum(seen.failed for seen in window) > 0.05 * sum(seen.requests for seen in window):
                return course.end("rolled-back", "ratio")
    return course.end("promoted", "steps done", promoted=True)


def kayenta(world: World, fault: Fault, rps: float, seed: int) -> Ending:
    course = Course(world, fault, rps, seed)
    canary: tuple[list[float], list[float]] = ([], [])
    baseline: tuple[list[float], list[float]] = ([], [])
    weight = 0.10
    for _ in range(KAYENTA_MINUTES):
        counts = [0, 0, 0, 0]
        shifts = [0.0, 0.0]
        for _ in range(60):
            moment = course.weather.at(course.second, weight)
            share, extra_ms = course.weather.longer(course.second)
            course.second += 1
            if course.sick_bucket < 2 * weight:
                side = 0 if course.sick_bucket < weight else 1
                looped = poisson(1.0, course.chance)
                counts[2 * side] += looped
                course.failed -= looped if side == 0 else 0
            for side, error in enumerate((moment.candidate_error, moment.stable_error)):
                counts[2 * side] += poisson(moment.rps * weight * error, course.chance)
                counts[2 * side + 1] += poisson(moment.rps * weight * (1 - error), course.chance)
            shifts[0] += moment.candidate_shift / 60
            shifts[1] += moment.stable_shift / 60
        course.failed += counts[0]
        for side, (rates, times) in enumerate((canary, baseline)):
            bad, good = counts[2 * side], counts[2 * side + 1]
            if bad + good:
                rates.append(bad / (bad + good))
            if good:
                longer = (share, extra_ms) if side == 0 else (0.0, 0.0)
                times.append(_p95(good, shifts[side], longer, course.chance))
    for mine, theirs in zip(canary, baseline, strict=True):
        if is_high(mine, theirs):
            return course.end("rolled-back", "score")
    return course.end("promoted", "score", promoted=True)


def _p95(requests: int, shift: float, longer: tuple[float, float], chance: Random) -> float:
    share, extra_ms = longer
    drawn = sorted(
        MEDIAN_MS * exp(shift + SPREAD * chance.gauss(0, 1)) + (extra_ms if share and chance.random() < share else 0.0)
        for _ in range(min(requests, MOST_DRAWS))
    )
    return drawn[min(int(0.95 * len(drawn)), len(drawn) - 1)]


def is_high(mine: list[float], theirs: list[float]) -> bool:
    """Kayenta's classifier: Mann–Whitney interval of the shift against a quarter of the Hodges–Lehmann estimate."""
    if not mine or not theirs:
        return False
    m, n = len(mine), len(theirs)
    differences = sorted(a - b for a in mine for b in theirs)
    estimate = differences[len(differences) // 2]
    rank = int(m * n / 2 - Z98 * sqrt(m * n * (m + n + 1) / 12))
    return differences[max(rank, 0)] > 0.25 * abs(estimate)


PEERS: dict[str, Peer] = {
    "Flagger": flagger,
    "Argo Rollouts": argo,
    "Kayenta 60 min": kayenta,
    "ratio at every look": ratio_at_every_look,
}
