"""The statement of what would have been noticed is kept: the rise it names is noticed 95 times of 100."""

from __future__ import annotations

from random import Random

from tests.guard.scenes import at_weight, failed, feed, ok

from underway.guard.detectable import detectable_rate
from underway.guard.policy import Policy

POLICY = Policy()
WEIGHT, SECONDS, RPS = 0.25, 60, 20


def test_the_rise_it_names_is_noticed() -> None:
    state = at_weight(POLICY, WEIGHT)
    chance = Random(0)
    for _ in range(SECONDS):
        feed(POLICY, state, [ok(chance.random() < WEIGHT, WEIGHT) for _ in range(RPS)])
    rate = detectable_rate(POLICY, state)
    assert rate is not None
    assert 0.01 < rate < 0.2
    noticed = sum(notices(rate, Random(seed)) for seed in range(40))
    assert noticed >= 33  # 95 % of 40 is 38; five fewer is below the 0.3 % quantile of 0.95


def notices(rate: float, chance: Random) -> bool:
    state = at_weight(POLICY, WEIGHT)
    for _ in range(SECONDS):
        outcomes = []
        for _ in range(RPS):
            mine = chance.random() < WEIGHT
            bad = chance.random() < (rate if mine else 0.001)
            outcomes.append(failed(mine, WEIGHT) if bad else ok(mine, WEIGHT))
        feed(POLICY, state, outcomes)
        if state.errors.strength >= 1 / POLICY.error_alpha:
            return True
    return False


def test_without_a_comparison_nothing_is_promised() -> None:
    assert detectable_rate(POLICY, at_weight(POLICY, 1.0)) is None


def test_more_traffic_notices_less() -> None:
    rates = []
    for seconds in (30, 120, 480):
        state = at_weight(POLICY, WEIGHT)
        for second in range(seconds):
            feed(POLICY, state, [ok(n % 4 == second % 4, WEIGHT) for n in range(RPS)])
        rates.append(detectable_rate(POLICY, state) or 1.0)
    assert rates[0] > rates[1] > rates[2]
