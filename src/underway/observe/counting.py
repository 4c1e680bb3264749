"""What one request counts as: good, failed, or nothing at all."""

from __future__ import annotations

import re
from enum import Enum

from underway.manifest.failures import Failures
from underway.manifest.model import Manifest
from underway.manifest.words import ROUTE
from underway.terms.route import Request

CLIENT_WENT_AWAY = (0, 499)
NO_ANSWER = (502, 504)
"""The proxy's own words for an app that did not answer: failures whatever the manifest says."""
_SWITCHED = 101
"""A WebSocket: it lasts as long as the visitor stays."""
_AGENTS_REMEMBERED = 4_096


class Kind(Enum):
    """What becomes of a request in every count."""

    GOOD = "good"
    STREAM = "stream"
    """Served, but its time says nothing."""
    FAILED = "failed"
    GONE = "gone"
    """The client went away: nobody's failure."""
    LEFT_OUT = "left-out"
    """A probe, a health check, a monitor, or a route that the manifest excludes."""


class Counting:
    """The rules of one app, made ready for many requests (about 1 µs each)."""

    def __init__(self, keys: Failures, health_path: str = "/") -> None:
        self._failed = frozenset(NO_ANSWER) | {status for text in keys.statuses for status in _statuses(text)}
        routes = [_route(text) for text in keys.exclude]
        if health_path != "/":
            routes.append(f"[A-Z]+ {re.escape(health_path)}")
        self._left_out = re.compile("|".join(routes), re.DOTALL) if routes else None
        names = "|".join(re.escape(name) for name in keys.monitors)
        self._monitors = re.compile(names, re.IGNORECASE) if names else None
        self._is_monitor: dict[str, bool] = {}

    @classmethod
    def of(cls, manifest: Manifest) -> Counting:
        return cls(manifest.release.failures, manifest.health.path)

    def kind(self, request: Request) -> Kind:
        if request.is_monitor or self._is_from_monitor(request.agent):
            return Kind.LEFT_OUT
        if self._left_out is not None and self._left_out.fullmatch(f"{request.method} {request.path}"):
            return Kind.LEFT_OUT
        return self.kind_of(request.status)

    def kind_of(self, status: int) -> Kind:
        """What a status alone says."""
        if status in CLIENT_WENT_AWAY:
            return Kind.GONE
        if status in self._failed:
            return Kind.FAILED
        return Kind.STREAM if status == _SWITCHED else Kind.GOOD

    def _is_from_monitor(self, agent: str) -> bool:
        if not agent or self._monitors is None:
            return False
        known = self._is_monitor.get(agent)
        if known is None:
            if len(self._is_monitor) >= _AGENTS_REMEMBERED:
                self._is_monitor.clear()
            known = self._is_monitor[agent] = self._monitors.search(agent) is not None
        return known


def _statuses(text: str) -> range:
    """`5xx` is 500 to 599, `429` is itself."""
    return (
        range(int(text[0]) * 100, int(text[0]) * 100 + 100) if text.endswith("xx") else range(int(text), int(text) + 1)
    )


def _route(text: str) -> str:
    found = ROUTE.fullmatch(text)
    if found is None:  # the manifest's reader refuses it
        raise ValueError(f"not a route: {text[:80]!r}")
    first, *others = [re.escape(part) for part in found["path"].split("*")]
    # atomic groups: a path with many stars takes no longer than its length, whatever a visitor asks for
    stars = "".join(f"(?>.*?{part})" for part in others[:-1]) + f".*{others[-1]}" if others else ""
    return f"{found['method'] or '[A-Z]+'} {first}{stars}"
