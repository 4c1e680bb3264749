"""Requests counted since the agent began, for a collector that keeps the past itself: they only grow."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from underway.observe.counting import Kind
from underway.observe.recorder import Matches
from underway.terms.route import Request

BUCKETS_MS = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0)
"""Upper edges; Prometheus' own client has the same ones."""
MOST_ROUTES, MOST_RELEASES = 50, 6
"""Of one app and release, and of one app: what comes beyond counts as `OTHER`, or lets go of the oldest."""
OTHER = "other"


class Promise(NamedTuple):
    """An objective: which requests it counts (None: all), and how soon a good one is answered (0: whenever)."""

    name: str
    matches: Matches | None
    limit_ms: float


class Counted(NamedTuple):
    """Of one objective."""

    app: str
    objective: str
    requests: int
    bad: int


class RouteCount:
    """One route class of one release: requests by outcome, and the times of those that were answered."""

    __slots__ = ("buckets", "failed", "gone", "good", "total_ms")

    def __init__(self) -> None:
        self.good = self.failed = self.gone = 0
        self.buckets = [0] * (len(BUCKETS_MS) + 1)
        self.total_ms = 0.0


class Meter:
    """Fed with every request, about 2 µs each. `route_of` names the route class of a method and a path."""

    def __init__(self, route_of: Callable[[str, str], str], promises_of: Callable[[str], Sequence[Promise]]) -> None:
        self._route_of = route_of
        self._promises_of = promises_of
        self._promises: dict[str, Sequence[Promise]] = {}
        self._releases: dict[str, OrderedDict[str, dict[str, RouteCount]]] = {}
        self._counted: dict[tuple[str, str], list[int]] = {}

    def heard(self, request: Request, kind: Kind) -> None:
        """One request of whatever kind."""
        if kind is Kind.LEFT_OUT or not request.app:
            return
        count = self._count(request)
        if kind is Kind.GONE:
            count.gone += 1
            return
        if kind is Kind.FAILED:
            count.failed += 1
        else:
            count.good += 1
        if kind is not Kind.STREAM:
            count.buckets[bisect_left(BUCKETS_MS, request.took_ms)] += 1
            count.total_ms += request.took_ms
        promises = self._promises.get(request.app)
        if promises is None:
            promises = self._promises[request.app] = self._promises_of(request.app)
        for promise in promises:
            if promise.matches is None or promise.matches(request.method, request.path):
                self._judge(promise, request, kind)

    def begin_again(self) -> None:
        """Ask for the objectives anew with the next request: a release may have other ones."""
        self._promises.clear()

    def routes(self) -> Iterable[tuple[str, str, str, RouteCount]]:
        """(app, release, route class, count)."""
        for app, releases in self._releases.items():
            for release, routes in releases.items():
                for route, count in routes.items():
                    yield app, release, route, count

    def counted(self, app: str, objective: str) -> Counted:
        """Of an objective; zeros before its first request."""
        requests, bad = self._counted.get((app, objective), (0, 0))
        return Counted(app, objective, requests, bad)

    def _count(self, request: Request) -> RouteCount:
        releases = self._releases.setdefault(request.app, OrderedDict())
        routes = releases.get(request.release)
        if routes is None:
            routes = releases[request.release] = {}
            while len(releases) > MOST_RELEASES:
                releases.popitem(last=False)
        route = self._route_of(request.method, request.path)
        count = routes.get(route)
        if count is None:
            route = route if len(routes) < MOST_ROUTES else OTHER
            count = routes.setdefault(route, RouteCount())
        return count

    def _judge(self, promise: Promise, request: Request, kind: Kind) -> None:
        """As the error budget counts it: an objective of latency is about times alone, and a stream has none."""
        if promise.limit_ms and kind is Kind.STREAM:
            return
        is_bad = request.took_ms > promise.limit_ms if promise.limit_ms else kind is Kind.FAILED
        counted = self._counted.setdefault((request.app, promise.name), [0, 0])
        counted[0] += 1
        counted[1] += is_bad
