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
from statistics import NormalDist

from underway.guard.simulate.helm import Ending
from underway.guard.simulate.worlds import LIMIT_MS, MEDIAN_MS, SPREAD, Fault, Weather, World, poisson, slower_than

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
    """A simulated day as counts. A sum of Poisson counts is Poisson, so an interval is drawn at once."""

    def __init__(self, world: World, fault: Fault, rps: float, seed: int) -> None:
        self.chance = Random(seed)
        self.weather = Weather(world, fault, rps, seed)
        self.fault = fault
        self.second = 0
        self.failed = 0
        self.sick_bucket = self.weather.sick_bucket if world.sick_client else 1.0

    def begin(self) -> None:
        """An interval begins; failures count from the fault's beginning (a whole minute)."""
        if self.second == self.fault.after_s:
            self.failed = 0

    def run(self, seconds: int, weight: float) -> Seen:
        """The candidate's requests in the next `seconds` at this weight."""
        self.begin()
        bad = slow = fast = 0.0
        for _ in range(seconds):
            moment = self.weather.at(self.second, weight)
            good = moment.rps * weight * (1 - moment.candidate_error)
            bad += moment.rps * weight * moment.candidate_error
            slow_now = good * self.weather.slow_share(moment, self.second, LIMIT_MS)
            slow, fast = slow + slow_now, fast + good - slow_now
            self.second += 1
        seen = Seen(failed=poisson(bad, self.chance), slow=poisson(slow, self.chance))
        self.failed += seen.failed
        if self.sick_bucket < weight:
            seen.failed += poisson(float(seconds), self.chance)
        seen.requests = seen.failed + seen.slow + poisson(fast, self.chance)
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
    rates: tuple[list[float], list[float]] = ([], [])
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(KAYENTA_MINUTES):
        _minute(course, rates, times)
    if is_high(*rates) or is_high(*times):
        return course.end("rolled-back", "score")
    return course.end("promoted", "score", promoted=True)


def _minute(course: Course, rates: tuple[list[float], list[float]], times: tuple[list[float], list[float]]) -> None:
    """One minute's error rate and p95 of canary and baseline, 10 % of the traffic each."""
    course.begin()
    weight, chance = 0.10, course.chance
    bad, good, shifts = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    longer = (0.0, 0.0)
    for _ in range(60):
        moment = course.weather.at(course.second, weight)
        longer = course.weather.longer(course.second)
        course.second += 1
        for side, error in enumerate((moment.candidate_error, moment.stable_error)):
            bad[side] += moment.rps * weight * error
            good[side] += moment.rps * weight * (1 - error)
        shifts[0] += moment.candidate_shift / 60
        shifts[1] += moment.stable_shift / 60
    for side in (0, 1):
        failed, answered = poisson(bad[side], chance), poisson(good[side], chance)
        course.failed += failed if side == 0 else 0
        if side * weight <= course.sick_bucket < (side + 1) * weight:
            failed += poisson(60.0, chance)
        if failed + answered:
            rates[side].append(failed / (failed + answered))
        if answered:
            times[side].append(_p95(answered, shifts[side], longer if side == 0 else (0.0, 0.0), chance))


def _p95(requests: int, shift: float, longer: tuple[float, float], chance: Random) -> float:
    """The 95th percentile of so many draws: an order statistic of uniforms is a beta variate, put through the inverse
    of the distribution function."""
    rank = min(int(0.95 * requests), requests - 1) + 1
    at = min(max(chance.betavariate(rank, requests - rank + 1), 1e-9), 1 - 1e-9)
    share, extra_ms = longer
    low = MEDIAN_MS * exp(shift + SPREAD * NormalDist().inv_cdf(at))
    if not share:
        return low
    high = low + extra_ms
    while high - low > 0.1:
        ms = (low + high) / 2
        above = (1 - share) * slower_than(ms, shift) + share * slower_than(ms - extra_ms, shift)
        low, high = (ms, high) if above > 1 - at else (low, ms)
    return (low + high) / 2


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
