"""A page is compared with itself: who happens to be in a cohort is not the release's fault."""

from __future__ import annotations

import random

import pytest

from underway.guard.baseline import Baseline
from underway.guard.decide import decide
from underway.guard.evidence import Evidence, Outcome
from underway.guard.judge import judge
from underway.guard.latency import bucket
from underway.guard.observe import begin, observe, set_weight, tick
from underway.guard.policy import Policy
from underway.guard.routes import route_of
from underway.terms.verdict import Action

POLICY = Policy()


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("/", "GET /"),
        ("/api/v2/orders", "GET /api/v2/orders"),
        ("/orders/1234/lines?page=2", "GET /orders/*/lines"),
        ("/u/6f9619ff-8b86-d011-b42d-00c04fc964ff", "GET /u/*"),
        ("/reset/eyJhbGciOiJIUzI1NiJ9.e30.abc", "GET /reset/*"),
        ("/assets/app.3f9ac1d2.js", "GET /assets/app.*.js"),
        ("/assets/index-BxT81mQz.css", "GET /assets/index.*.css"),
        ("/people/ana%20maria", "GET /people/*"),
        ("/a/b/c/d/e/f/g/h", "GET /a/b/c/d/e/f/…"),
        ("", "GET /"),
    ],
)
def test_one_route_has_one_name(asked: str, route: str) -> None:
    assert route_of("GET", asked) == route


def watched(candidate: dict[str, tuple[float, float]], stable: dict[str, tuple[float, float]]) -> Evidence:
    """Ten minutes at one half, four requests a second. For each route of a side: its share and its typical time."""
    chance = random.Random(7)
    baseline = Baseline(arrived=2400, over_s=600)
    baseline.requests = baseline.timed = 2400
    for route, (share, ms) in stable.items():
        for _ in range(int(1000 * share)):
            baseline.reference.learn({bucket(ms * chance.lognormvariate(0, 0.3)): 1}, 0.0)
        assert route
    state = begin(POLICY, baseline, 0.0)
    set_weight(state, 0.5)
    for second in range(600):
        for _ in range(4):
            is_candidate = chance.random() < 0.5
            routes = candidate if is_candidate else stable
            route = chance.choices(list(routes), [share for share, _ in routes.values()])[0]
            ms = routes[route][1] * chance.lognormvariate(0, 0.3)
            observe(
                POLICY,
                state,
                Outcome(is_candidate=is_candidate, weight=0.5, failed=False, latency_ms=ms, route=route),
            )
        tick(POLICY, state, second + 1.0)
    return state


def test_a_cohort_that_uses_slower_pages_is_not_a_slower_release() -> None:
    state = watched(
        candidate={"GET /": (0.3, 8), "POST /play": (0.7, 80)},
        stable={"GET /": (0.7, 8), "POST /play": (0.3, 80)},
    )
    assert decide(POLICY, state).action is not Action.ROLL_BACK


def test_a_page_that_became_slower_is_named() -> None:
    state = watched(
        candidate={"GET /": (0.5, 8), "POST /play": (0.5, 180)},
        stable={"GET /": (0.5, 8), "POST /play": (0.5, 80)},
    )
    verdict = judge(POLICY, state, "B", "A")
    assert verdict.action is Action.ROLL_BACK
    assert "most of all POST /play: typically 1" in verdict.because
    assert verdict.because.count("on A") >= 2
