"""A recorded day as traffic: what is real in it stays as it was, and only the fault is added."""

from __future__ import annotations

from collections import Counter
from random import Random

from underway.guard.policy import Policy
from underway.guard.simulate.access_log import Recording
from underway.guard.simulate.recorded import beginnings, roll_out_recorded, usual
from underway.guard.simulate.study import fault_named
from underway.guard.simulate.worlds import Fault


def shop(
    minutes: int = 60, per_s: float = 6.0, outage: tuple[float, float] = (0.0, 0.0), clients: int = 300
) -> Recording:
    """A quiet shop, from second 10,000 on; everybody fails during `outage` (seconds from its beginning)."""
    chance, at, recording = Random(3), 0.0, Recording()
    while at < 60 * minutes:
        at += chance.expovariate(per_s)
        is_out = outage[0] <= at < outage[1]
        failed = chance.random() < (0.3 if is_out else 0.001)
        client = f"c{chance.randrange(clients)}" if clients else ""
        recording.add(10_000 + at, 1000 * chance.lognormvariate(-2.8, 0.6), failed, client)
    return recording


def ended(recording: Recording, fault: Fault, number: int = 6) -> list[str]:
    moments = enumerate(beginnings(recording, number, 0))
    return [roll_out_recorded(Policy(), recording, fault, at, seed).how for seed, at in moments]


def test_a_crash_is_taken_back_and_a_healthy_release_never() -> None:
    recording = shop()
    assert set(ended(recording, fault_named("crash"))) == {"rolled-back"}
    assert "rolled-back" not in ended(recording, fault_named("healthy"))


def test_an_outage_of_both_is_no_false_alarm() -> None:
    recording = shop(outage=(900.0, 1020.0))
    endings = [
        roll_out_recorded(Policy(), recording, fault_named("healthy"), 10_000 + began, seed)
        for seed, began in enumerate((650.0, 750.0, 850.0))
    ]
    assert [ending.reason for ending in endings if ending.how == "rolled-back"] == []


def test_without_clients_each_request_draws_its_release() -> None:
    assert set(ended(shop(clients=0), fault_named("crash"))) == {"rolled-back"}


def test_a_recording_that_ends_first_leaves_the_rollout_open() -> None:
    recording = shop(minutes=16)
    assert ended(recording, fault_named("healthy"), 2) == ["unfinished", "unfinished"]


def test_the_same_seed_is_the_same_rollout() -> None:
    recording, fault = shop(minutes=30), fault_named("errors-5")
    one, other = (roll_out_recorded(Policy(), recording, fault, 10_700.0, 4) for _ in range(2))
    assert one == other


def test_what_is_usual_is_learned_from_the_ten_minutes_before() -> None:
    recording = shop(outage=(900.0, 1500.0))
    calm, out = usual(Policy(), recording, 10_850.0), usual(Policy(), recording, 11_500.0)
    assert calm.error_rate < 0.01 < 0.2 < out.error_rate
    assert 5 < calm.per_s < 7
    assert 50 < calm.reference.quantile_ms(0.5) < 75


def habits(has_routes: bool) -> Recording:
    """Twenty clients: one in four reads only reports, which take ten times as long as the lists of the others."""
    chance, at, recording = Random(5), 0.0, Recording()
    while at < 60 * 35:
        at += chance.expovariate(12.0)
        client = chance.randrange(20)
        median, route = (400.0, "GET /report") if client % 4 == 0 else (30.0, "GET /list")
        took_ms = median * chance.lognormvariate(0, 0.4)
        recording.add(10_000 + at, took_ms, False, f"c{client}", route if has_routes else "")
    return recording


def test_clients_of_slow_pages_make_no_release_slow() -> None:
    unnamed, named = (
        Counter(
            roll_out_recorded(Policy(), habits(has_routes), fault_named("healthy"), 10_650.0, seed).reason
            for seed in range(6)
        )
        for has_routes in (False, True)
    )
    assert unnamed["slower"] + unnamed["a-little-slower"] > 0  # a page less well known would look like a slow release
    assert named["slower"] + named["a-little-slower"] == 0
