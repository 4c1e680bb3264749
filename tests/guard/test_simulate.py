"""The shipped guard in the shipped simulator, in small; `bench/guard.py` has the whole table."""

from __future__ import annotations

from random import Random

import pytest

from underway.guard.policy import Policy
from underway.guard.simulate.helm import Ending
from underway.guard.simulate.peers import argo, flagger, kayenta, ratio_at_every_look
from underway.guard.simulate.rollout import roll_out
from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS, Fault, World, poisson

FAULT = {fault.name: fault for fault in FAULTS}
WORLD = {world.name: world for world in WORLDS}


def rollouts(world: World, fault: Fault, rps: float, runs: int) -> list[Ending]:
    return [roll_out(Policy(), world, fault, rps, seed) for seed in range(runs)]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_healthy_releases_stay(world: World) -> None:
    assert [ending.reason for ending in rollouts(world, HEALTHY, 5.0, 6) if ending.how == "rolled-back"] == []


@pytest.mark.parametrize("rps", [0.5, 5.0, 50.0, 500.0])
def test_a_crash_costs_at_most_five_users_in_the_median(rps: float) -> None:
    endings = rollouts(WORLD["plain"], FAULT["crash"], rps, 25)
    assert {ending.how for ending in endings} == {"rolled-back"}
    assert sorted(ending.failed for ending in endings)[12] <= 5


def test_five_per_cent_errors_cost_at_most_ten_users_in_the_median() -> None:
    for rps in (5.0, 50.0):
        endings = rollouts(WORLD["plain"], FAULT["errors-5"], rps, 15)
        assert {ending.how for ending in endings} == {"rolled-back"}
        assert sorted(ending.failed for ending in endings)[7] <= 10


def test_twice_as_slow_at_five_a_second_is_gone_within_five_minutes() -> None:
    endings = rollouts(WORLD["plain"], FAULT["slower-100"], 5.0, 15)
    assert {ending.how for ending in endings} == {"rolled-back"}
    assert sorted(ending.at_s for ending in endings)[7] <= 300


def test_the_same_seed_is_the_same_rollout() -> None:
    one, other = (roll_out(Policy(), WORLD["bursts"], FAULT["errors-1"], 5.0, 7) for _ in range(2))
    assert one == other


def test_peers_behave_as_published() -> None:
    crash, plain = FAULT["crash"], WORLD["plain"]
    assert flagger(plain, crash, 50.0, 1).at_s == 360
    assert argo(plain, crash, 50.0, 1).at_s == 240
    assert kayenta(plain, crash, 5.0, 1).how == "rolled-back"
    assert ratio_at_every_look(plain, crash, 50.0, 1).at_s == 10
    for peer in (flagger, argo, kayenta, ratio_at_every_look):
        assert peer(plain, HEALTHY, 50.0, 1).how == "promoted"


def test_poisson_has_its_mean_and_variance() -> None:
    chance = Random(1)
    for mean in (0.3, 7.0, 90.0, 900.0):
        drawn = [poisson(mean, chance) for _ in range(3000)]
        average = sum(drawn) / len(drawn)
        variance = sum((x - average) ** 2 for x in drawn) / len(drawn)
        assert average == pytest.approx(mean, rel=0.08)
        assert variance == pytest.approx(mean, rel=0.15)
