"""An access log as the traffic it recorded: Underway's own, Caddy's, nginx's as JSON, common and combined. Pure.

The lines are somebody else's words: what cannot be read is counted and passed over, never trusted.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite, nan

import msgspec

from underway.guard.routes import route_of

LONGEST_LINE = 1 << 17
FAILED_FROM, CLIENT_WENT_AWAY = 500, (0, 499)
"""A 5xx answer is a failure; a client that went away before an answer is nobody's."""
FROM_ERRORS = 400
"""From this status on the time belongs to no route: most such answers are for paths that are not there."""
LONGEST_METHOD = 16
MOST_ROUTES = 4096
"""Of so many routes the names are kept, those that come first; the others share one."""
LONGEST_S = 3600.0
"""No answer takes longer: a larger number is in another unit or nonsense."""
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_COMBINED = re.compile(
    r'^(?P<client>\S{1,100}) \S+ .{0,200}?\[(?P<at>[^\]]{20,40})\] "(?P<request>(?:[^"\\]|\\.)*)"'
    r" (?P<status>\d{3})\b(?P<rest>.*)$"
)
_TOOK = re.compile(r'(?:^|[\s="])(?P<s>\d{1,6}\.\d{1,9})"?$')


class _Asked(msgspec.Struct):
    client_ip: str = ""
    remote_ip: str = ""
    host: str = ""
    method: str = ""
    uri: str = ""


class _Line(msgspec.Struct):
    """The fields that are read, by the names that Caddy and the usual nginx formats give them."""

    status: int | str
    ts: float | str | None = None
    msec: float | str | None = None
    time: float | str | None = None
    time_iso8601: str | None = None
    time_local: str | None = None
    timestamp: float | str | None = None
    duration: float | str | None = None
    request_time: float | str | None = None
    request: _Asked | str | None = None
    request_method: str | None = None
    request_uri: str | None = None
    uri: str | None = None
    remote_addr: str | None = None
    host: str | None = None
    app: str | None = None
    probe: str | None = None
    bucket: str | None = None


@dataclass
class Recording:
    """Requests in the order of their time: seconds (Unix time), milliseconds (nan: not recorded), failed or not, and
    numbers for the client and for the route (0: cannot be told)."""

    at: array[float] = field(default_factory=lambda: array("d"))
    took_ms: array[float] = field(default_factory=lambda: array("f"))
    failed: bytearray = field(default_factory=bytearray)
    client: array[int] = field(default_factory=lambda: array("L"))
    clients: dict[str, int] = field(default_factory=dict)
    route: array[int] = field(default_factory=lambda: array("H"))
    routes: list[str] = field(default_factory=lambda: [""])
    """The routes by their number, as `guard.routes` names them."""
    _numbers: dict[str, int] = field(default_factory=lambda: {"": 0})
    apps: Counter[str] = field(default_factory=Counter)
    """Requests of each app that Underway's log names, whichever was asked for."""
    lines: int = 0
    unread: int = 0
    """Lines that are no request, or of no known format."""

    def __len__(self) -> int:
        return len(self.at)

    @property
    def has_times(self) -> bool:
        return any(ms == ms for ms in self.took_ms[:1000])

    @property
    def span_s(self) -> float:
        return self.at[-1] - self.at[0] if self.at else 0.0

    @property
    def failures(self) -> int:
        return sum(self.failed)

    def add(self, at: float, took_ms: float, failed: bool, client: str, route: str = "") -> None:
        self.at.append(at)
        self.took_ms.append(took_ms)
        self.failed.append(failed)
        self.client.append(self.clients.setdefault(client, len(self.clients) + 1) if client else 0)
        self.route.append(self._number(route))

    def _number(self, route: str) -> int:
        number = self._numbers.get(route)
        if number is None:
            if len(self.routes) >= MOST_ROUTES:
                return 0
            number = self._numbers.setdefault(route, len(self.routes))
            self.routes.append(route)
        return number

    def sort(self) -> None:
        """Bring the requests into the order of their time. Logs have them in the order in which they ended."""
        if all(a <= b for a, b in zip(self.at, self.at[1:], strict=False)):
            return
        order = sorted(range(len(self.at)), key=self.at.__getitem__)
        self.at = array("d", (self.at[i] for i in order))
        self.took_ms = array("f", (self.took_ms[i] for i in order))
        self.failed = bytearray(self.failed[i] for i in order)
        self.client = array("L", (self.client[i] for i in order))
        self.route = array("H", (self.route[i] for i in order))


_decode = msgspec.json.Decoder(_Line).decode


def record(lines: Iterable[bytes], into: Recording, app: str = "") -> None:
    """Add the requests of these lines; only those of `app` (its name in Underway's log, or a host), where one is given.

    Probes of Underway and answers that nobody waited for are left out.
    """
    for line in lines:
        into.lines += 1
        if len(line) > LONGEST_LINE or not line.strip():
            into.unread += 1
        elif line.lstrip()[:1] == b"{":
            _add_json(line, into, app)
        else:
            _add_combined(line.decode("utf-8", "replace").rstrip(), into)


def _add_json(line: bytes, into: Recording, app: str) -> None:
    try:
        seen = _decode(line)
        status = int(seen.status)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        into.unread += 1
        return
    asked = seen.request if isinstance(seen.request, _Asked) else _Asked()
    at = _first(seen.ts, seen.msec, seen.time_iso8601, seen.time, seen.timestamp, seen.time_local)
    if at is None or not 100 <= status <= 599:
        into.unread += 1 if status else 0
        return
    if seen.app:
        into.apps[seen.app] += 1
    if status in CLIENT_WENT_AWAY or seen.probe or (app and app not in (seen.app, seen.host, asked.host)):
        return
    took = seen.duration if seen.duration is not None else seen.request_time
    client = asked.client_ip or asked.remote_ip or seen.remote_addr or ""
    route = _route(seen, asked) if status < FROM_ERRORS else ""
    into.add(at, milliseconds(took), status >= FAILED_FROM, f"{client} {seen.bucket or ''}".strip(), route)


def _route(seen: _Line, asked: _Asked) -> str:
    if asked.uri:
        return route_of(asked.method[:LONGEST_METHOD], asked.uri)
    if isinstance(seen.request, str):
        return _asked_for(seen.request)
    path = seen.request_uri or seen.uri or ""
    return route_of((seen.request_method or "")[:LONGEST_METHOD], path) if path else ""


def _asked_for(line: str) -> str:
    """The route of `GET /path HTTP/1.1`; "" of what is no such line."""
    method, _, rest = line.partition(" ")
    path = rest.partition(" ")[0]
    return route_of(method, path) if path.startswith("/") and len(method) <= LONGEST_METHOD else ""


def _add_combined(line: str, into: Recording) -> None:
    found = _COMBINED.match(line)
    at = seconds(found["at"]) if found else None
    if found is None or at is None:
        into.unread += 1
        return
    status = int(found["status"])
    if status in CLIENT_WENT_AWAY:
        return
    took = _TOOK.search(found["rest"])
    route = _asked_for(found["request"]) if status < FROM_ERRORS else ""
    into.add(at, milliseconds(took["s"] if took else None), status >= FAILED_FROM, found["client"], route)


def _first(*texts: float | str | None) -> float | None:
    for text in texts:
        at = seconds(text)
        if at is not None:
            return at
    return None


def seconds(text: float | str | None) -> float | None:
    """Unix time from a number (seconds or milliseconds), ISO 8601, or `10/Oct/2000:13:55:36 -0700` (common)."""
    if text is None:
        return None
    try:
        at = float(text)
    except ValueError:
        return _moment(str(text))
    if not isfinite(at) or at <= 0:
        return None
    at = at / 1000 if at > 1e11 else at
    return at if at < 1e11 else None


def _moment(text: str) -> float | None:
    try:
        if len(text) > 11 and text[2] == "/" and text[6] == "/":
            day, month, rest = text.split("/", 2)
            year, clock = rest.split(":", 1)
            hour, zone = clock.split(" ", 1)
            text = f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{hour}{zone}"
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def milliseconds(text: float | str | None) -> float:
    """A duration as logs have it: seconds as a number, or Caddy's text ("1.5ms", "250µs"). nan where there is none."""
    if text is None:
        return nan
    scale = 1000.0
    if isinstance(text, str):
        for unit, factor in (("ms", 1.0), ("µs", 0.001), ("us", 0.001), ("ns", 1e-6), ("s", 1000.0)):
            if text.endswith(unit):
                text, scale = text.removesuffix(unit), factor
                break
    try:
        ms = float(text) * scale
    except ValueError:
        return nan
    return ms if 0 <= ms <= LONGEST_S * 1000 else nan
