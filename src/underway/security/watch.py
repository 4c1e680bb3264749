"""Requests in, security events out; memory is bounded whatever comes."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import OrderedDict
from functools import lru_cache
from typing import Any

import msgspec

from underway.terms.route import Request
from underway.terms.security import SecurityEvent, SecurityKind

LOG_INS_LEAST, LOG_INS_S = 10, 60.0
"""So many refused log-ins of one client within so long are an event."""
HOSTS_LEAST, HOSTS_S = 3, 600.0
OVER_AFTER_S = 600.0
"""An event goes on until its client was silent for so long."""
MOST_CLIENTS = 2_048
"""Remembered of each kind: the one that was silent longest is forgotten for a new one."""
MOST_SAMPLES = 5
_SAMPLE_CHARS = 120
_REFUSED = frozenset((401, 403, 429))
_LOG_IN = re.compile(
    r"(?i)/(?:[^/]*[-_.])?(?:log[-_]?[io]n|sign[-_]?in|session|auth|authenticate|authorize|token|oauth2?|otp|2fa|mfa|"
    r"password|passwd|forgot|reset|account)s?(?:[/._-]|$)"
)
_BAIT = re.compile(
    r"(?i)/\.(?:env|git|svn|hg|aws|ssh|docker|kube|npmrc|htpasswd|htaccess|ds_store|vscode|config)\b|"
    r"/(?:wp-login|wp-admin|wp-config|wp-content|wp-includes|xmlrpc|phpmyadmin|pma|phpinfo|adminer|eval-stdin|cgi-bin|"
    r"server-status|actuator/(?:env|heapdump)|solr/admin|boaform|hnap1|id_rsa|etc/passwd|_ignition|vendor/phpunit|"
    r"telescope/requests|console/login|manager/html|owa/auth|remote/login|geoserver|struts)|"
    r"/[^/]*\.(?:php\d?|aspx?|jsp|cgi|sql|bak|old|swp|pem|key)$|(?:\.\.|%2e%2e|%252e)(?:/|%2f|\\)"
)
_MAYBE = ("/.", ".php", ".sql", ".bak", "..")
"""What a request that was answered is looked at for: quick, and enough for what would be a find."""


class Watch:
    """One per agent. About 0.2 µs for a request that nobody minds."""

    def __init__(self) -> None:
        self._open: dict[SecurityKind, OrderedDict[tuple[str, str], SecurityEvent]] = {
            kind: OrderedDict() for kind in SecurityKind
        }
        self._counts: dict[SecurityKind, OrderedDict[tuple[str, str], tuple[float, int]]] = {
            kind: OrderedDict() for kind in SecurityKind
        }
        self._changed: dict[str, SecurityEvent] = {}
        self._resumed: dict[tuple[SecurityKind, str, str], float] = {}
        """Up to when a former agent counted a client: those requests may be read once more."""
        self.forgotten = 0
        """Clients that were forgotten for others, for want of room."""

    def resume(self, events: list[SecurityEvent]) -> None:
        """Go on with what a former agent had seen last."""
        for event in sorted(events, key=lambda it: it.last_at):
            self._open[event.kind][event.app, event.client] = event
            self._resumed[event.kind, event.app, event.client] = event.last_at

    def heard(self, request: Request) -> None:
        """A request of anybody."""
        path = request.path
        if request.status < 400 and request.app:
            for mark in _MAYBE:
                if mark in path:
                    break
            else:
                return
        if request.is_monitor:
            return
        if not request.app:
            self._note(SecurityKind.HOST, request, request.host or "no name", HOSTS_LEAST, HOSTS_S)
        elif _BAIT.search(path) and not path.startswith("/.well-known/"):
            is_own = path.lower().endswith(_OFTEN_OWN) and request.status < 400
            if not is_own:
                self._note(SecurityKind.SCAN, request, path, 1, 0.0)
        elif request.status in _REFUSED and request.method != "GET" and _LOG_IN.search(path):
            self._note(SecurityKind.LOG_INS, request, f"{request.method} {path}", LOG_INS_LEAST, LOG_INS_S)

    def refused(self, what: str, client: str, at: float) -> None:
        """Underway refused a log-in, a code or a token."""
        self._add(SecurityKind.OWN, ("", client_of(client)), at, what, "", is_answered=False)

    def changed(self) -> list[SecurityEvent]:
        """What is new since the last time."""
        found = list(self._changed.values())
        self._changed.clear()
        return found

    def _note(self, kind: SecurityKind, request: Request, sample: str, least: int, within_s: float) -> None:
        key = (request.app, client_of(request.ip))
        known = self._open[kind].get(key)
        at = request.at + request.took_ms / 1000
        if at <= self._resumed.get((kind, *key), 0.0):
            return
        if known is None or at - known.last_at > OVER_AFTER_S:
            counts = self._counts[kind]
            began, count = counts.pop(key, (at, 0))
            if within_s and at - began > within_s:
                began, count = at, 0
            if count + 1 < least:
                counts[key] = (began, count + 1)
                self._make_room(counts)
                return
            self._add(kind, key, at, sample, request.agent, request.status < 400, times=count + 1, first_at=began)
            return
        self._add(kind, key, at, sample, request.agent, request.status < 400)

    def _add(
        self,
        kind: SecurityKind,
        key: tuple[str, str],
        at: float,
        sample: str,
        agent: str,
        is_answered: bool,
        times: int = 1,
        first_at: float = 0.0,
    ) -> None:
        open_ = self._open[kind]
        known = open_.pop(key, None)
        sample = sample[:_SAMPLE_CHARS]
        if known is None or at - known.last_at > OVER_AFTER_S:
            first_at = first_at or at
            name = hashlib.blake2b(f"{kind.value}\0{key}\0{first_at:.3f}".encode(errors="replace"), digest_size=6)
            event = SecurityEvent(
                id=name.hexdigest(),
                kind=kind,
                app=key[0],
                client=key[1],
                first_at=first_at,
                last_at=at,
                times=times,
                answered=int(is_answered),
                samples=(sample,),
                agent=agent[:_SAMPLE_CHARS],
            )
        else:
            is_new = sample not in known.samples and len(known.samples) < MOST_SAMPLES
            event = msgspec.structs.replace(
                known,
                last_at=max(known.last_at, at),
                times=known.times + times,
                answered=known.answered + is_answered,
                samples=(*known.samples, sample) if is_new else known.samples,
            )
        open_[key] = event
        self._changed[event.id] = event
        self._make_room(open_)

    def _make_room(self, kept: OrderedDict[tuple[str, str], Any]) -> None:
        if len(kept) > MOST_CLIENTS:
            kept.popitem(last=False)
            self.forgotten += 1


_OFTEN_OWN = (".php", ".asp", ".aspx", ".jsp", ".cgi", ".key")
"""An app may well have pages of its own that end so: they are a scan only where there is nothing."""


@lru_cache(4_096)
def client_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the /64 network of an IPv6 one, which one customer has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
