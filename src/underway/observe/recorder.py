"""Requests as they are counted → points of each release and of each objective's route."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from underway.observe.counting import Kind
from underway.observe.touched import Distinct
from underway.ports.metrics import Metrics
from underway.terms.metrics import Level, Point, objective_subject, release_subject
from underway.terms.route import Request

_AHEAD_S = 60.0
"""A line from further in the future than this (the clock was set back) counts as now."""
MINUTES_OF_USERS = 120
SECONDS_OF_FAILING = 60
_MOST_FAILING = 1_024
"""People remembered of one release and second."""
_FINE = Level.FINE.value


class Matches(Protocol):
    def __call__(self, method: str, path: str, /) -> bool: ...


class RouteOf(NamedTuple):
    """An objective that counts only some routes."""

    name: str
    matches: Matches


class Recorder:
    """Fed with every request; hands points to the store when asked. About 1 µs a request."""

    def __init__(self, metrics: Metrics, routes_of: Callable[[str], Sequence[RouteOf]]) -> None:
        self._metrics = metrics
        self._routes_of = routes_of
        self._routes: dict[str, Sequence[RouteOf]] = {}
        self._points: dict[tuple[str, str, int], Point] = {}
        self._users: dict[str, OrderedDict[int, Distinct]] = {}
        self._failing: dict[tuple[str, str], OrderedDict[int, set[int]]] = {}

    def heard(self, request: Request, kind: Kind, now: float) -> None:
        """One request of whatever kind."""
        if kind is Kind.LEFT_OUT:
            return
        at = min(request.at, now + _AHEAD_S)
        slot = int(at) // _FINE
        key = (request.app, request.release, slot)
        point = self._points.get(key)
        if point is None:
            point = self._points[key] = Point()
        _count(point, request, kind)
        routes = self._routes.get(request.app)
        if routes is None:
            routes = self._routes[request.app] = self._routes_of(request.app)
        for route in routes:
            if route.matches(request.method, request.path):
                named = (request.app, f"\0{route.name}", slot)
                if (mine := self._points.get(named)) is None:
                    mine = self._points[named] = Point()
                _count(mine, request, kind)
        if kind is Kind.FAILED:
            self._touch(request, at)

    def hand_over(self) -> None:
        """Give the store what was counted since the last time."""
        for (app, name, slot), point in self._points.items():
            subject = objective_subject(name[1:]) if name.startswith("\0") else release_subject(name)
            self._metrics.put(app, subject, slot * _FINE, point)
        self._points.clear()
        self._routes.clear()

    def users_touched(self, app: str, since: float) -> int:
        """How many different people met a failure since then (at most two hours back; exact up to a thousand)."""
        all_of = Distinct()
        for minute, users in self._users.get(app, {}).items():
            if minute >= since // 60:
                all_of.merge(users)
        return all_of.count

    def failing(self, app: str, release: str, since: float, until: float) -> set[int]:
        """Whose requests to the release failed in these seconds (hashed; of the last minute, a thousand a second)."""
        seconds: Mapping[int, set[int]] = self._failing.get((app, release), {})
        return {one for second, people in seconds.items() if int(since) <= second <= until for one in people}

    def _touch(self, request: Request, at: float) -> None:
        if not request.client:
            return
        seconds = self._failing.setdefault((request.app, request.release), OrderedDict())
        people = seconds.setdefault(int(at + request.took_ms / 1000), set())
        if len(people) < _MOST_FAILING:
            people.add(int(request.client, 16))
        while len(seconds) > SECONDS_OF_FAILING:
            seconds.popitem(last=False)
        if len(self._failing) > _MOST_FAILING:
            del self._failing[next(iter(self._failing))]
        minutes = self._users.setdefault(request.app, OrderedDict())
        minutes.setdefault(int(at // 60), Distinct()).add(int(request.client, 16))
        while len(minutes) > MINUTES_OF_USERS:
            minutes.popitem(last=False)


def _count(point: Point, request: Request, kind: Kind) -> None:
    point.sent_bytes += request.sent_bytes
    if kind is Kind.GOOD:
        point.served += 1
        point.took.add(request.took_ms)
    elif kind is Kind.FAILED:
        point.failed += 1
        point.took.add(request.took_ms)
    elif kind is Kind.STREAM:
        point.served += 1
    else:
        point.gone += 1
