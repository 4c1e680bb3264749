"""The shipped guard in a simulated world: one rollout from its first share to its end. Pure, seeded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import e, exp, log
from random import Random
from statistics import NormalDist

from underway.guard.baseline import Baseline
from underway.guard.carry import carried_out
from underway.guard.decide import Decision, Reason, decide
from underway.guard.evidence import Evidence, Outcome
from underway.guard.latency import bucket_ms, position, position_shift
from underway.guard.observe import Slice, begin, observe, observe_slice, tick
from underway.guard.policy import Policy
from underway.guard.simulate.worlds import LIMIT_MS, MEDIAN_MS, SPREAD, Fault, Moment, Weather, World, poisson
from underway.terms.verdict import Action

HORIZON_S = 7200
HISTORY_S = 600
"""The stable release was watched for ten minutes before the rollout."""
PAUSED_FOR_S = 600
"""A release that is held for a person this long ends as paused."""
QUIET_LOOK_S = 5
"""At 100 % the guard looks so often (after a failure at once), which saves half of the simulation's time."""
REACTION_S = 0.1
"""From the request's end to the moved traffic: log line, verdict, threshold file."""


@dataclass(frozen=True)
class Ending:
    """How a rollout ended: `how` is rolled-back, promoted or paused; `failed` counts failed requests of users."""

    how: str
    reason: str
    at_s: float
    promoted_at_s: float | None
    failed: int


@dataclass(frozen=True)
class Person:
    """A user: `bucket` decides the cohort, `busy` how many requests, `slowness` the log factor of the latency."""

    name: str
    bucket: float
    busy: float
    slowness: float


def people(rps: float, chance: Random) -> list[Person]:
    """So many that each makes about a request in eight seconds; the busiest are many times busier than the rest."""
    return [
        Person(f"p{n}", chance.random(), chance.lognormvariate(0, 1), chance.gauss(0, 0.3))
        for n in range(max(20, round(8 * rps)))
    ]


@lru_cache(maxsize=1)
def quantiles() -> list[float]:
    """4,096 equally likely latencies as positions on the scale of buckets."""
    normal = NormalDist(log(MEDIAN_MS), SPREAD)
    scale = position_shift(e)
    zero = position(1.0)
    return [zero + scale * normal.inv_cdf((i + 0.5) / 4096) for i in range(4096)]


def roll_out(policy: Policy, world: World, fault: Fault, rps: float, seed: int) -> Ending:
    """Simulate one rollout."""
    return Rollout(policy, world, fault, rps, Random(seed)).run()


class Rollout:
    def __init__(self, policy: Policy, world: World, fault: Fault, rps: float, chance: Random) -> None:
        self.policy, self.chance, self.world = policy, chance, world
        self.people = people(rps, chance) if world.people else []
        self.busy = list(accumulate(person.busy for person in self.people))
        self.sick_bucket = chance.random()
        self.weather = Weather(world, fault, rps, chance)
        self.state: Evidence = begin(policy, self._history(world, rps), 0.0)
        self.failed = 0
        self.served = 0
        self.promoted_at: float | None = None
        self.paused_at: float | None = None
        self.scale = position_shift(e)

    def _history(self, world: World, rps: float) -> Baseline:
        times = [int(at) for at in self.chance.choices(quantiles(), k=round(min(rps * HISTORY_S, 5000)))]
        requests = rps * HISTORY_S
        baseline = Baseline(arrived=requests, over_s=HISTORY_S)
        baseline.requests += requests
        baseline.timed += requests
        baseline.failed += requests * world.base_error
        counts: dict[int, int] = {}
        for at in times:
            counts[at] = counts.get(at, 0) + 1
        baseline.reference.learn(counts, 0.0)
        return baseline

    def run(self) -> Ending:
        for second in range(HORIZON_S):
            ending = self._second(second)
            if ending is not None:
                return ending
        return self._end("paused", "horizon", HORIZON_S)

    def _end(self, how: str, reason: str, at_s: float) -> Ending:
        return Ending(how, reason, at_s, self.promoted_at, self.failed)

    def _second(self, second: int) -> Ending | None:
        state, chance = self.state, self.chance
        moment = self.weather.at(second, state.weight)
        self._sick_client()
        if self.people:
            return self._second_of_people(second, moment)
        part = 0.0
        while True:
            weight, left = state.weight, 1.0 - part
            to_candidate, to_stable = moment.rps * weight * left, moment.rps * (1 - weight) * left
            bad = poisson(to_candidate * moment.candidate_error, chance)
            good = poisson(to_candidate * (1 - moment.candidate_error), chance)
            stable_bad = poisson(to_stable * moment.stable_error, chance)
            stable_good = poisson(to_stable * (1 - moment.stable_error), chance)
            for number in range(bad):
                share = 1 / (bad - number + 1)
                sent = Slice(
                    weight,
                    1,
                    self._some(stable_bad, share),
                    self._candidate_times(self._some(good, share), moment, second),
                    self._stable_times(self._some(stable_good, share), moment),
                )
                good -= len(sent.candidate_times)
                stable_bad -= sent.stable_failed
                stable_good -= len(sent.stable_times)
                self.failed += 1
                observe_slice(self.policy, state, sent)
                moved = part + left * (number + 1) / (bad + 1)
                tick(self.policy, state, second + moved)
                ending = self._act(second + moved, moment)
                if ending is not None:
                    return ending
                if state.weight != weight:
                    part = moved
                    break
            else:
                observe_slice(
                    self.policy,
                    state,
                    Slice(
                        weight,
                        0,
                        stable_bad,
                        self._candidate_times(good, moment, second),
                        self._stable_times(stable_good, moment),
                    ),
                )
                if state.weight >= 1 and second % QUIET_LOOK_S:
                    return None
                tick(self.policy, state, second + 1.0)
                return self._act(second + 1.0, moment)

    def _sick_client(self) -> None:
        """One client that fails in a loop, on the release of its cohort. Its failures are its own."""
        if not self.world.sick_client:
            return
        weight = self.state.weight
        for _ in range(poisson(1.0, self.chance)):
            observe(
                self.policy,
                self.state,
                Outcome(
                    is_candidate=self.sick_bucket < weight, weight=weight, failed=True, latency_ms=5.0, client="sick"
                ),
            )

    def _second_of_people(self, second: int, moment: Moment) -> Ending | None:
        """Each request is somebody's: the person's cohort decides the release, the person's habits the latency."""
        state, chance, number = self.state, self.chance, poisson(moment.rps, self.chance)
        for n, person in enumerate(chance.choices(self.people, cum_weights=self.busy, k=number) if number else []):
            is_candidate = person.bucket < state.weight
            error = moment.candidate_error if is_candidate else moment.stable_error
            shift = (moment.candidate_shift if is_candidate else moment.stable_shift) + person.slowness
            failed = chance.random() < error
            ms = MEDIAN_MS * exp(shift + SPREAD * chance.gauss(0, 1))
            observe(
                self.policy,
                state,
                Outcome(
                    is_candidate=is_candidate, weight=state.weight, failed=failed, latency_ms=ms, client=person.name
                ),
            )
            if failed and is_candidate:
                self.failed += 1
                tick(self.policy, state, second + (n + 1) / (number + 1))
                ending = self._act(second + (n + 1) / (number + 1), moment)
                if ending is not None:
                    return ending
        tick(self.policy, state, second + 1.0)
        return self._act(second + 1.0, moment)

    def _some(self, number: int, share: float) -> int:
        return min(number, int(number * share + self.chance.random()))

    def _stable_times(self, number: int, moment: Moment) -> list[float]:
        shift = moment.stable_shift * self.scale
        return [at + shift for at in self.chance.choices(quantiles(), k=number)] if number else []

    def _candidate_times(self, number: int, moment: Moment, second: int) -> list[float]:
        """The candidate's times. At 100 % nothing is compared, so only whether they are over the limit matters."""
        if not number:
            return []
        if self.state.weight >= 1:
            slow = min(poisson(number * self.weather.slow_share(moment, second, LIMIT_MS), self.chance), number)
            return [position(2 * LIMIT_MS)] * slow + [position(MEDIAN_MS)] * (number - slow)
        shift = moment.candidate_shift * self.scale
        times = [at + shift for at in self.chance.choices(quantiles(), k=number)]
        share, extra_ms = self.weather.longer(second)
        if share:
            times = [position(bucket_ms(at) + extra_ms) if self.chance.random() < share else at for at in times]
        if self.served < 15:
            times = [at + self.weather.cold_factor(self.served + i) * self.scale for i, at in enumerate(times)]
        self.served += number
        return times

    def _act(self, at_s: float, moment: Moment) -> Ending | None:
        state = self.state
        decision: Decision = decide(self.policy, state)
        if decision.action is Action.ROLL_BACK:
            self._linger(moment)
            return self._end("rolled-back", decision.reason.value, at_s)
        if decision.action is Action.CONTINUE:
            return self._end("promoted", decision.reason.value, at_s)
        if decision.action is Action.INCONCLUSIVE:
            if decision.reason is not Reason.A_LITTLE_SLOWER:
                return self._end("paused", decision.reason.value, at_s)
            self.paused_at = at_s if self.paused_at is None else self.paused_at
            if at_s - self.paused_at > PAUSED_FOR_S:
                return self._end("paused", decision.reason.value, at_s)
            return None
        self.paused_at = None
        if decision.weight is not None:
            if decision.weight < state.weight:
                self._linger(moment)
            carried_out(self.policy, state, decision.reason, decision.weight)
            if state.weight >= 1 and self.promoted_at is None:
                self.promoted_at = at_s
        return None

    def _linger(self, moment: Moment) -> None:
        """Requests that still reach the candidate before the traffic has moved."""
        self.failed += poisson(moment.rps * self.state.weight * moment.candidate_error * REACTION_S, self.chance)
