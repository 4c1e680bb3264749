"""What the proxy must know of an app, and what it tells of a request."""

from __future__ import annotations

import msgspec

from underway.terms.release import Slot


class SlotRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Where one slot's web instances listen on loopback (none for a static app)."""

    slot: Slot
    ports: tuple[int, ...] = ()


class AppRoute(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an app's routing that needs the proxy's configuration (changing it is a reload).

    `hosts` always include `APP.localhost`. `static_url` is the prefix under which the slot's static folder is
    served (empty: no static files); `spa` answers unknown paths of it with its index.html; `has_web` is false
    for an app of static files only. `tls` turns on HTTPS for the public hosts: "off", "internal" or "auto".
    """

    app: str
    hosts: tuple[str, ...]
    slots: tuple[SlotRoute, SlotRoute]
    has_web: bool = True
    static_url: str = ""
    spa: bool = False
    tls: str = "off"
    body_limit_bytes: int = 0


class SlotTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The part that changes without a reload: which release is on a slot and where its static files are."""

    release: str
    static_dir: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the proxy's access log.

    `status` is 0 when the client went away before an answer. `took_ms` is the whole time in the proxy,
    `upstream_ms` the app's. `client` identifies who asked (cohort bucket and address hashed), not a person. `address`
    likewise, without the cohort: the same for everybody who shares an address and a browser. `agent` is the browser's
    own word. `sent_bytes` is the answer's body. `is_monitor` marks health checks and probes of our own. `share_of_b`
    is the share of visitors that slot B got when the request arrived, None for one that named its release in a header.
    `is_sticky` is true for a visitor who keeps a release by cookie; each request of any other draws its release anew.
    `ip` is the client's address itself and `host` the name it asked for: for security events alone. `app` is empty
    where no app has that name.
    """

    at: float
    app: str
    release: str
    slot: str
    method: str
    path: str
    status: int
    took_ms: float
    upstream_ms: float
    upstream: str
    retries: int
    client: str
    is_monitor: bool
    share_of_b: float | None = None
    is_sticky: bool = False
    address: str = ""
    agent: str = ""
    ip: str = ""
    host: str = ""
    sent_bytes: int = 0


class LogOffset(msgspec.Struct, frozen=True, kw_only=True):
    """How far the access log was read: the file's inode and the byte after the last whole line.

    `mark` is of the file's first bytes: a dropped file's inode may be given to a new one. 0 when it is not known.
    """

    inode: int = 0
    byte: int = 0
    mark: int = 0
