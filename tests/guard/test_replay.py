"""A recorded rollout is judged as it was: what would the guard have done?"""

from __future__ import annotations

from random import Random

from tests.guard.scenes import failed, known, ok

from underway.guard.evidence import Outcome
from underway.guard.policy import Policy
from underway.guard.replay import replay
from underway.terms.verdict import Action


def recorded(candidate_error: float, from_s: float) -> list[tuple[float, Outcome]]:
    """Ten requests a second for ten minutes: 5 %, 25 %, then half of them go to the candidate."""
    chance = Random(4)
    requests = []
    for number in range(6000):
        at = 1000.0 + number / 10
        weight = 0.05 if at < 1150 else 0.25 if at < 1300 else 0.5
        mine = chance.random() < weight
        bad = chance.random() < (candidate_error if mine and at >= from_s else 0.001)
        requests.append((at, failed(mine, weight) if bad else ok(mine, weight)))
    return requests


def test_a_fault_in_the_record_is_found_soon_after_it_began() -> None:
    verdicts = list(replay(Policy(), known(), recorded(0.5, from_s=1200.0), "B", "A"))
    at, verdict = next((at, v) for at, v in verdicts if v.action is Action.ROLL_BACK)
    assert 1200 < at < 1215
    assert "requests failed on B" in verdict.because


def test_a_healthy_record_gives_no_roll_back() -> None:
    verdicts = list(replay(Policy(), known(), recorded(0.001, from_s=0.0)))
    assert Action.ROLL_BACK not in {verdict.action for _, verdict in verdicts}
    assert Action.ADVANCE in {verdict.action for _, verdict in verdicts}


def test_no_requests_give_no_verdict() -> None:
    assert list(replay(Policy(), known(), [])) == []
