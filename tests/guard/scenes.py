"""Traffic for the guard's tests: many small rollouts at the edge of what is still fine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log, sqrt
from random import Random

from underway.guard.evidence import Baseline, Evidence, Outcome
from underway.guard.judge import carried_out, judge
from underway.guard.latency import bucket
from underway.guard.observe import begin, observe, set_weight, tick
from underway.guard.policy import Policy
from underway.terms.verdict import Action, Verdict

Rate = Callable[[int], float]


def known(rate: float = 0.001, requests: int = 3000, median_ms: float = 60.0) -> Baseline:
    """A stable release that was watched for ten minutes."""
    baseline = Baseline(arrived=requests, over_s=600.0)
    baseline.requests += requests
    baseline.failed += requests * rate
    baseline.timed += requests
    chance = Random(1)
    counts: dict[int, int] = {}
    for _ in range(2000):
        index = bucket(exp(log(median_ms) + 0.6 * chance.gauss(0, 1)))
        counts[index] = counts.get(index, 0) + 1
    baseline.reference.learn(counts, 0.0)
    return baseline


def at_weight(policy: Policy, weight: float, baseline: Baseline | None = None) -> Evidence:
    state = begin(policy, baseline or known(), 0.0)
    set_weight(state, weight)
    return state


def wandering(chance: Random, around: float, spread: float, memory: float = 0.99) -> Iterator[float]:
    """A positive value that wanders slowly around `around` (a log-normal autoregression)."""
    x = chance.gauss(0, spread)
    while True:
        x = memory * x + chance.gauss(0, spread * sqrt(1 - memory * memory))
        yield around * exp(x)


def ok(is_candidate: bool, weight: float, latency_ms: float = 60.0, client: str = "") -> Outcome:
    return Outcome(is_candidate=is_candidate, weight=weight, failed=False, latency_ms=latency_ms, client=client)


def failed(is_candidate: bool, weight: float, client: str = "") -> Outcome:
    return Outcome(is_candidate=is_candidate, weight=weight, failed=True, latency_ms=5.0, client=client)


def feed(policy: Policy, state: Evidence, outcomes: list[Outcome], seconds: float = 1.0) -> None:
    """Let these requests arrive within `seconds`."""
    for outcome in outcomes:
        observe(policy, state, outcome)
    tick(policy, state, state.last_now + seconds)


def share_that_crosses(runs: int, one: Callable[[Random], bool]) -> float:
    return sum(one(Random(seed)) for seed in range(runs)) / runs


def allowed(alpha: float, runs: int) -> float:
    """α and three standard errors of a share measured in so many runs."""
    return alpha + 3 * sqrt(alpha * (1 - alpha) / runs)


class Rehearsal:
    """A rollout in small: every second some requests arrive, the guard judges, and what it says is carried out."""

    def __init__(self, policy: Policy, rps: int = 20, seed: int = 1, baseline: Baseline | None = None) -> None:
        self.policy, self.rps, self.chance = policy, rps, Random(seed)
        self.state = begin(policy, baseline or known(), 0.0)
        self.said: list[Verdict] = []

    def run(
        self,
        seconds: int,
        candidate: float = 0.0,
        stable: float = 0.0,
        slower: float = 1.0,
        until: Action | None = None,
    ) -> Verdict:
        """Let traffic with these error rates come for `seconds`, or until the guard says `until`."""
        verdict = judge(self.policy, self.state, "B", "A")
        for _ in range(seconds):
            weight, chance = self.state.weight, self.chance
            for _ in range(self.rps):
                mine = chance.random() < weight
                if chance.random() < (candidate if mine else stable):
                    observe(self.policy, self.state, failed(mine, weight))
                else:
                    ms = chance.lognormvariate(log(60.0), 0.6) * (slower if mine else 1.0)
                    observe(self.policy, self.state, ok(mine, weight, ms))
            tick(self.policy, self.state, self.state.last_now + 1)
            verdict = judge(self.policy, self.state, "B", "A")
            if not self.said or verdict.rule != self.said[-1].rule:
                self.said.append(verdict)
            carried_out(self.policy, self.state, verdict)
            if verdict.action is until:
                break
        return verdict

    @property
    def rules(self) -> list[str]:
        return [verdict.rule for verdict in self.said]
