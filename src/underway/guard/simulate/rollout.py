"""The shipped guard in a simulated world: one rollout from its first share to its end. Pure, seeded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import exp
from random import Random

from underway.guard.baseline import Baseline
from underway.guard.evidence import Evidence, Outcome
from underway.guard.observe import Slice, Times, begin, observe, observe_slice, tick
from underway.guard.policy import Policy
from underway.guard.simulate.helm import Ending, Helm, Look
from underway.guard.simulate.times import times_of_candidate, times_of_stable
from underway.guard.simulate.worlds import (
    COLD_REQUESTS,
    MEDIAN_MS,
    SPREAD,
    Fault,
    Moment,
    Weather,
    World,
    poisson,
)

HORIZON_S = 7200
HISTORY_S = 600
"""The stable release was watched for ten minutes before the rollout."""
QUIET_LOOK_S = 5
"""At 100 % the guard looks so often (after a failure at once), which saves half of the simulation's time."""
REACTION_S = 0.12
"""From the request's end to the moved traffic: the log is read five times a second, and moving it is one small file."""


PAGES = (-1.4, -0.7, 0.7, 1.8)
"""Four pages and what each adds to the logarithm of the latency."""
AT_HOME = 0.8
"""How often a person with habits is at the page of their own."""


@dataclass(frozen=True)
class Probing:
    """Probes of the candidate beside its users: so many per second, and whether they touch what is broken."""

    per_s: float = 0.0
    sees_fault: bool = False


NO_PROBES = Probing()


@dataclass(frozen=True)
class Person:
    """A user: `bucket` decides the cohort, `busy` how many requests, `slowness` the log factor of the latency.
    `page` is where a person with habits mostly is."""

    name: str
    bucket: float
    busy: float
    slowness: float
    page: int


def people(rps: float, chance: Random) -> list[Person]:
    """So many that each makes about a request in eight seconds; the busiest are many times busier than the rest."""
    return [
        Person(f"p{n}", chance.random(), chance.lognormvariate(0, 1), chance.gauss(0, 0.3), n % len(PAGES))
        for n in range(max(20, round(8 * rps)))
    ]


def roll_out(
    policy: Policy,
    world: World,
    fault: Fault,
    rps: float,
    seed: int,
    probing: Probing = NO_PROBES,
    looks: list[Look] | None = None,
) -> Ending:
    """Simulate one rollout. Where `looks` is given, every look of the guard is added to it."""
    return Rollout(policy, world, fault, rps, seed, probing, looks).run()


class Rollout:
    def __init__(
        self,
        policy: Policy,
        world: World,
        fault: Fault,
        rps: float,
        seed: int,
        probing: Probing = NO_PROBES,
        looks: list[Look] | None = None,
    ) -> None:
        chance = Random(seed)
        self.policy, self.chance, self.world, self.fault = policy, chance, world, fault
        self.probing = probing
        self.probes_due = 0.0
        self.people = people(rps, chance) if world.people else []
        self.busy = list(accumulate(person.busy for person in self.people))
        self.weather = Weather(world, fault, rps, seed)
        self.state: Evidence = begin(policy, self._history(world, rps), 0.0)
        self.helm = Helm(policy, self.state, self._linger, looks)
        self.served = 0
        self.moment = Moment(0.0, 0.0, 0.0, 0.0, 0.0)

    def _history(self, world: World, rps: float) -> Baseline:
        times = times_of_stable(self.policy, round(min(rps * HISTORY_S, 5000)), 0.0, self.chance)
        requests = rps * HISTORY_S
        baseline = Baseline(arrived=requests, over_s=HISTORY_S)
        baseline.requests += requests
        baseline.timed += requests
        baseline.failed += requests * world.base_error
        baseline.reference.learn(times.buckets, 0.0)
        return baseline

    def run(self) -> Ending:
        for second in range(HORIZON_S):
            ending = self._second(second)
            if ending is not None:
                return ending
        return self.helm.end("paused", "horizon", HORIZON_S)

    def _second(self, second: int) -> Ending | None:
        state, chance = self.state, self.chance
        if second == self.fault.after_s:
            self.helm.failed = 0
        moment = self.weather.at(second, state.weight)
        self._sick_client()
        ending = self._probe(second, moment)
        if ending is not None:
            return ending
        if self.people and state.weight < 1:
            return self._second_of_people(second, moment)
        part = 0.0
        while True:
            weight, left = state.weight, 1.0 - part
            to_candidate, to_stable = moment.rps * weight * left, moment.rps * (1 - weight) * left
            bad = poisson(to_candidate * moment.candidate_error, chance)
            good = poisson(to_candidate * (1 - moment.candidate_error), chance)
            stable_bad = poisson(to_stable * moment.stable_error, chance)
            stable_good = poisson(to_stable * (1 - moment.stable_error), chance)
            answered = stable_answered = 0
            for number in range(bad):
                share = 1 / (bad - number + 1)
                sent = Slice(
                    weight,
                    self._some(good, share),
                    1,
                    self._some(stable_good, share),
                    self._some(stable_bad, share),
                )
                good -= sent.candidate_ok
                stable_good -= sent.stable_ok
                stable_bad -= sent.stable_failed
                answered += sent.candidate_ok
                stable_answered += sent.stable_ok
                self.helm.failed += 1
                observe_slice(self.policy, state, sent)
                moved = part + left * (number + 1) / (bad + 1)
                tick(self.policy, state, second + moved)
                ending = self._act(second + moved, moment)
                if ending is not None:
                    return ending
                if state.weight != weight:
                    part = moved
                    self._observe_times(Slice(weight), answered, stable_answered, moment, second)
                    break
            else:
                rest = Slice(weight, good, 0, stable_good, stable_bad)
                self._observe_times(rest, answered + good, stable_answered + stable_good, moment, second)
                if state.weight >= 1 and second % QUIET_LOOK_S:
                    return None
                tick(self.policy, state, second + 1.0)
                return self._act(second + 1.0, moment)

    def _observe_times(self, sent: Slice, answered: int, stable_answered: int, moment: Moment, second: int) -> None:
        """Send the slice together with the times of what was answered at its weight in this second."""
        if answered:
            sent.candidate_times = self._candidate_times(answered, sent.weight, moment, second)
        if stable_answered:
            sent.stable_times = times_of_stable(self.policy, stable_answered, moment.stable_shift, self.chance)
        observe_slice(self.policy, self.state, sent)

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
                    is_candidate=self.weather.sick_bucket < weight,
                    weight=weight,
                    failed=True,
                    latency_ms=5.0,
                    client="sick",
                ),
            )

    def _probe(self, second: int, moment: Moment) -> Ending | None:
        """The probes of this second, while the candidate has not everything."""
        if not self.probing.per_s or self.state.weight >= 1:
            return None
        self.probes_due += self.probing.per_s
        while self.probes_due >= 1:
            self.probes_due -= 1
            error = moment.candidate_error if self.probing.sees_fault else moment.stable_error
            bad = self.chance.random() < error
            ms = MEDIAN_MS * exp(moment.stable_shift + SPREAD * self.chance.gauss(0, 1))
            observe(
                self.policy,
                self.state,
                Outcome(is_candidate=True, weight=0.0, failed=bad, latency_ms=ms, is_probe=True),
            )
            if bad:
                tick(self.policy, self.state, float(second))
                ending = self._act(float(second), moment)
                if ending is not None:
                    return ending
        return None

    def _second_of_people(self, second: int, moment: Moment) -> Ending | None:
        """Each request is somebody's: the person's cohort decides the release, the person's habits the latency."""
        state, chance, number = self.state, self.chance, poisson(moment.rps, self.chance)
        for n, person in enumerate(chance.choices(self.people, cum_weights=self.busy, k=number) if number else []):
            is_candidate = person.bucket < state.weight
            error = moment.candidate_error if is_candidate else moment.stable_error
            shift = (moment.candidate_shift if is_candidate else moment.stable_shift) + person.slowness
            route = ""
            if self.world.habits:
                page = person.page if chance.random() < AT_HOME else chance.randrange(len(PAGES))
                shift, route = shift + PAGES[page], f"GET /{page}"
            failed = chance.random() < error
            ms = MEDIAN_MS * exp(shift + SPREAD * chance.gauss(0, 1))
            observe(
                self.policy,
                state,
                Outcome(
                    is_candidate=is_candidate,
                    weight=state.weight,
                    failed=failed,
                    latency_ms=ms,
                    client=person.name,
                    route=route,
                ),
            )
            if failed and is_candidate:
                self.helm.failed += 1
                tick(self.policy, state, second + (n + 1) / (number + 1))
                ending = self._act(second + (n + 1) / (number + 1), moment)
                if ending is not None:
                    return ending
        tick(self.policy, state, second + 1.0)
        return self._act(second + 1.0, moment)

    def _some(self, number: int, share: float) -> int:
        return min(number, int(number * share + self.chance.random()))

    def _candidate_times(self, number: int, weight: float, moment: Moment, second: int) -> Times:
        """The candidate's times. At 100 % nothing is compared, so only whether they are over the limit matters."""
        if weight >= 1:
            limit_ms = self.policy.limits.p95_ms
            slow = poisson(number * self.weather.slow_share(moment, second, limit_ms), self.chance)
            return Times(number=number, slow=min(slow, number))
        cold = [self.weather.cold_factor(n) for n in range(self.served, min(self.served + number, COLD_REQUESTS))]
        self.served += number
        return times_of_candidate(
            self.policy, number, moment.candidate_shift, self.chance, self.weather.longer(second), cold
        )

    def _act(self, at_s: float, moment: Moment) -> Ending | None:
        self.moment = moment
        return self.helm.look(at_s)

    def _linger(self) -> int:
        """Requests that still reach the candidate before the traffic has moved, and fail."""
        moment = self.moment
        return poisson(moment.rps * self.state.weight * moment.candidate_error * REACTION_S, self.chance)
