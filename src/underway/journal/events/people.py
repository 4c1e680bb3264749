"""Events of people: what somebody changed, read or did, and who was let in."""

from __future__ import annotations

from underway.journal.events.event import Event


class EnvironmentChanged(Event, frozen=True, kw_only=True, tag="environment_changed"):
    """Values of one layer were set, renewed or removed. No value is here. `by` is the account that asked, `how` is
    set, unset, generate, rotate, retire or share."""

    layer: str
    how: str
    by: str
    put: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class EnvironmentRead(Event, frozen=True, kw_only=True, tag="environment_read"):
    """A person or a program got values in the clear. `why` says what for (`run`, `reveal`, `sync render`)."""

    environment: str
    by: str
    why: str
    names: tuple[str, ...] = ()


class AccessChanged(Event, frozen=True, kw_only=True, tag="access_changed"):
    """Who may use the dashboard and its API was changed. `what` is account | token | dashboard, `how` a word for it
    (`added`, `role`, `password`, `closed`, `made`, `revoked`, `exposed`, `hidden`); `says` adds the role, the scopes or
    the host."""

    what: str
    how: str
    name: str
    by: str
    says: str = ""


class LoggedIn(Event, frozen=True, kw_only=True, tag="logged_in"):
    """Somebody opened a session of the dashboard. `how` is `code` (from this machine's command line) or `password`."""

    name: str
    how: str
    address: str = ""


class LogInRefused(Event, frozen=True, kw_only=True, tag="log_in_refused"):
    """Too many wrong tries: further ones must wait. `name` is the account, empty when there is no such one."""

    name: str
    address: str
    tries: int
    wait_s: float


class Acted(Event, frozen=True, kw_only=True, tag="acted"):
    """Somebody did something through the dashboard or with a token. `what` is the act in a few words."""

    by: str
    what: str
    because: str = ""
