"""Monitors: what is asked of the outside again and again, and how it stands."""

from __future__ import annotations

from enum import Enum

import msgspec


class MonitorKind(Enum):
    HTTP = "http"
    TCP = "tcp"
    DNS = "dns"
    POSTGRES = "postgres"
    REDIS = "redis"
    COMMAND = "command"
    JOURNEY = "journey"
    PING = "ping"
    """A dead-man check: somebody else must tell that it ran."""


class MonitorState(Enum):
    WAITING = "waiting"
    """Not asked yet, or too seldom to say."""
    UP = "up"
    DOWN = "down"
    OFFLINE = "offline"
    """This machine reaches nothing outside: nothing can be said of the site."""
    MAINTENANCE = "maintenance"
    """It failed, and that was announced: a window, or the app's maintenance page."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `came` says what was wrong, empty when it passed. `certificate_until` is when the certificate that was
    shown ends, 0 for none. `is_ours` for a failure that this machine itself may be the reason of (no route, no
    resolver), so that it may be offline. No secret is in it."""

    at: float
    took_ms: float
    came: str = ""
    certificate_until: float = 0.0
    is_ours: bool = False

    @property
    def passed(self) -> bool:
        return not self.came


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day (UTC, by its first moment) of a monitor: checks made and failed."""

    at: float
    checks: int = 0
    failed: int = 0


class MonitorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One monitor as it is now. `says` is why it is so; `since` when it came to be so. `uptime_…` are shares of the
    checks that passed, None without any. `days` are the last 90, oldest first, those without checks left out.
    `is_own`: Underway's, not written in the manifest. `ping_path` is what a schedule asks to tell that it ran,
    `ping_url` what it asks from another machine (empty unless pings are exposed); who knows it can ping."""

    app: str
    name: str
    kind: MonitorKind
    target: str
    state: MonitorState
    since: float
    says: str = ""
    interval_s: float = 0.0
    last_at: float = 0.0
    took_ms: float = 0.0
    certificate_until: float = 0.0
    uptime_day: float | None = None
    uptime_month: float | None = None
    days: tuple[Day, ...] = ()
    is_own: bool = False
    ping_path: str = ""
    ping_url: str = ""
