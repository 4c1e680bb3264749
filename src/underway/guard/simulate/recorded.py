""" "What would the guard have done?" A recorded day as the traffic of a rollout. Pure, seeded.

Every recorded request is real: when it came, who sent it, how long it took, whether it failed. What is made up is the
split: each client is put into a cohort, and those of the candidate get what the fault adds. Without a fault both
releases are the same program on the same day, so whatever the guard says against the candidate is a false alarm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from random import Random

from underway.guard.baseline import Baseline, Counts
from underway.guard.evidence import Outcome
from underway.guard.latency import bucket
from underway.guard.observe import begin, observe, tick
from underway.guard.policy import Policy
from underway.guard.simulate.access_log import Recording
from underway.guard.simulate.helm import Ending, Helm, Look
from underway.guard.simulate.rollout import HISTORY_S, HORIZON_S, REACTION_S
from underway.guard.simulate.worlds import Fault

LEAST_S = HISTORY_S + 300.0
"""A shorter recording holds no rollout: ten minutes to learn what is usual, and five to judge."""
SLICE_S = 30.0
"""What is usual is learned in such slices, as the agent does it."""
UNTIMED_MS = 1.0
"""Stands for every time of a log that has none: all alike, so nothing can be called slower."""


def beginnings(recording: Recording, number: int, seed: int) -> list[float]:
    """So many moments at which a rollout could have begun, spread over the recording, each drawn within its part."""
    first, last = recording.at[0] + HISTORY_S, recording.at[-1] - (LEAST_S - HISTORY_S)
    part, chance = (last - first) / number, Random(f"beginnings {seed}")
    return [first + part * (n + chance.random()) for n in range(number)]


def usual(policy: Policy, recording: Recording, until: float) -> Baseline:
    """What was known of the release that ran, learned from the ten minutes before `until`."""
    baseline = Baseline()
    for number in range(round(HISTORY_S / SLICE_S)):
        since = until - HISTORY_S + number * SLICE_S
        places = range(bisect_left(recording.at, since), bisect_left(recording.at, since + SLICE_S))
        times = [_took_ms(recording, i) for i in places if not recording.failed[i]]
        seen = Counts(
            stable=len(places),
            stable_failed=len(places) - len(times),
            stable_timed=len(times),
            stable_slow=sum(ms > policy.limits.p95_ms for ms in times),
        )
        baseline.learn(seen, SLICE_S)
        baseline.reference.learn(Counter(bucket(ms) for ms in times), SLICE_S)
    return baseline


def _took_ms(recording: Recording, place: int) -> float:
    ms = recording.took_ms[place]
    return ms if ms == ms else UNTIMED_MS


def roll_out_recorded(
    policy: Policy, recording: Recording, fault: Fault, began: float, seed: int, looks: list[Look] | None = None
) -> Ending:
    """The rollout that would have begun at the Unix time `began`. `at_s` counts from there; a recording that ends first
    ends it as `unfinished`."""
    return RecordedRollout(policy, recording, fault, began, seed, looks).run()


class RecordedRollout:
    def __init__(
        self,
        policy: Policy,
        recording: Recording,
        fault: Fault,
        began: float,
        seed: int,
        looks: list[Look] | None = None,
    ) -> None:
        self.policy, self.recording, self.fault, self.began = policy, recording, fault, began
        self.chance, self.salt = Random(seed), seed
        self.next = bisect_left(recording.at, began)
        self.second = 0
        self.state = begin(policy, usual(policy, recording, began), 0.0)
        self.helm = Helm(policy, self.state, self._linger, looks)

    def run(self) -> Ending:
        recording = self.recording
        while self.next < len(recording) and self.second < HORIZON_S:
            at_s = recording.at[self.next] - self.began
            ending = self._pass_time(at_s) or self._answer(self.next, at_s)
            if ending is not None:
                return ending
            self.next += 1
        if self.second >= HORIZON_S:
            return self.helm.end("paused", "horizon", float(HORIZON_S))
        return self.helm.end("unfinished", "the recording ended", float(self.second))

    def _pass_time(self, until_s: float) -> Ending | None:
        """Every second until then has its look, quiet ones too."""
        while until_s >= self.second + 1 and self.second < HORIZON_S:
            self.second += 1
            if self.second == round(self.fault.after_s):
                self.helm.failed = 0
            tick(self.policy, self.state, float(self.second))
            ending = self.helm.look(float(self.second))
            if ending is not None:
                return ending
        return None

    def _answer(self, place: int, at_s: float) -> Ending | None:
        state = self.state
        is_candidate, failed, ms = self._outcome(place, at_s)
        client = self.recording.client[place]
        outcome = Outcome(
            is_candidate=is_candidate,
            weight=state.weight,
            failed=failed,
            latency_ms=ms,
            client=str(client) if client else "",
            route=self.recording.routes[self.recording.route[place]],
        )
        if state.weight > 0 or not is_candidate:
            observe(self.policy, state, outcome)
        if not (failed and is_candidate):
            return None
        self.helm.failed += 1
        tick(self.policy, state, at_s)
        return self.helm.look(at_s)

    def _outcome(self, place: int, at_s: float) -> tuple[bool, bool, float]:
        """Whether the request falls to the candidate, fails there, and how long it takes."""
        fault, weight = self.fault, self.state.weight
        is_candidate = self._cohort(place) < weight
        failed, ms = bool(self.recording.failed[place]), _took_ms(self.recording, place)
        if at_s >= fault.after_s and (is_candidate or (fault.breaks_both and weight > 0)):
            failed = failed or (fault.error_rate is not None and self.chance.random() < fault.error_rate)
            if is_candidate:
                ms *= fault.times
                if fault.extra_share and self.chance.random() < fault.extra_share:
                    ms += fault.extra_ms
        return is_candidate, failed, ms

    def _cohort(self, place: int) -> float:
        """A client's bucket in [0, 1), the same for all its requests in one rollout; drawn anew where it is unknown."""
        client = self.recording.client[place]
        if not client:
            return self.chance.random()
        mixed = (client * 0x9E3779B97F4A7C15 + self.salt * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        mixed = ((mixed ^ (mixed >> 30)) * 0x94D049BB133111EB) & (2**64 - 1)
        return float((mixed ^ (mixed >> 31)) / 2**64)

    def _linger(self) -> int:
        """Requests on their way while the share is moved."""
        failed, place = 0, self.next + 1
        at = self.recording.at
        until = (at[self.next] if self.next < len(at) else self.began) + REACTION_S
        while place < len(at) and at[place] <= until:
            is_candidate, bad, _ = self._outcome(place, at[place] - self.began)
            failed += is_candidate and bad
            place += 1
        return failed
