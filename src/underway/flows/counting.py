"""The rules by which an app's requests are counted: those of the release that is meant, as its manifest has them."""

from __future__ import annotations

from functools import lru_cache

from underway.flows.keeping_rules import keeping_rules, route_match
from underway.guard.routes import route_of
from underway.journal.app_state import AppState
from underway.manifest.failures import Failures
from underway.manifest.read import read_manifest
from underway.observe.counting import Counting
from underway.observe.meter import Promise
from underway.observe.recorder import RouteOf

_DEFAULT = Counting(Failures())


def counting_of(state: AppState, release: str = "") -> Counting:
    """By the manifest of `release`, of the live one while that is not made yet, by the defaults before any."""
    found = state.releases.get(release) or state.live_release
    return _by_manifest(found.manifest) if found else _DEFAULT


@lru_cache(64)
def _by_manifest(text: str) -> Counting:
    return Counting.of(read_manifest(text))


def routes_of(state: AppState) -> tuple[RouteOf, ...]:
    """The objectives of the live release that count only some routes."""
    rules = keeping_rules(state)
    if rules is None:
        return ()
    return tuple(RouteOf(each.name, route_match(each.route)) for each in rules.objectives if each.route)


def promises_of(state: AppState) -> tuple[Promise, ...]:
    """Every objective of the live release, as its requests are counted."""
    rules = keeping_rules(state)
    if rules is None:
        return ()
    return tuple(
        Promise(each.name, route_match(each.route) if each.route else None, each.limit_ms) for each in rules.objectives
    )


@lru_cache(4096)
def route_class(method: str, path: str) -> str:
    """The route that a request asked for, as the guard names it: what looks like an id is a star."""
    return route_of(method, path)
