"""What a live app's manifest says of keeping it up, read once per release."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from underway.journal.app_state import AppState
from underway.manifest.model import Manifest
from underway.manifest.monitor import AlertKeys, MonitorKeys
from underway.manifest.read import read_manifest
from underway.manifest.words import ROUTE
from underway.slo.budget import Objective

OWN_MONITOR = "app"
"""The name of the monitor that every app has: its health path, through the proxy."""
DATABASE_MONITOR = "database"
"""Of every app that has its database from Underway."""
CACHE_MONITOR = "cache"
"""Of every app that has its Redis server from Underway."""
OWN_OBJECTIVE = Objective(name="availability", kind="availability", objective=0.995, is_own=True)
"""What holds for an app whose manifest promises nothing."""


@dataclass(frozen=True)
class KeepingRules:
    """Of one app."""

    manifest: Manifest
    monitors: tuple[MonitorKeys, ...]
    objectives: tuple[Objective, ...]
    alerts: AlertKeys


def keeping_rules(state: AppState) -> KeepingRules | None:
    """Of the live release; None for an app that is down."""
    live = state.live_release
    return _by_manifest(live.manifest) if live is not None else None


@lru_cache(64)
def _by_manifest(text: str) -> KeepingRules:
    manifest = read_manifest(text)
    objectives = tuple(
        Objective(
            name=each.name,
            kind="latency" if each.latency_ms else "availability",
            objective=each.objective,
            window_s=each.window_s,
            least=each.least,
            route=each.route,
            limit_ms=each.latency_ms,
        )
        for each in manifest.objectives
    )
    return KeepingRules(manifest, manifest.monitors, objectives or (OWN_OBJECTIVE,), manifest.alerts)


@dataclass(frozen=True)
class RouteMatch:
    """Whether a request is of a route like `GET /api/*`."""

    pattern: re.Pattern[str]

    def __call__(self, method: str, path: str, /) -> bool:
        return self.pattern.fullmatch(f"{method} {path}") is not None


@lru_cache(256)
def route_match(route: str) -> RouteMatch:
    """Raises `ValueError` for what is no route (the manifest's reader refuses it)."""
    found = ROUTE.fullmatch(route)
    if found is None:
        raise ValueError(f"not a route: {route[:80]!r}")
    first, *others = [re.escape(part) for part in found["path"].split("*")]
    # atomic groups: a path with many stars takes no longer than its length, whatever a visitor asks for
    stars = "".join(f"(?>.*?{part})" for part in others[:-1]) + f".*{others[-1]}" if others else ""
    return RouteMatch(re.compile(f"{found['method'] or '[A-Z]+'} {first}{stars}", re.DOTALL))
