"""Routes from manifests are checked before they become configuration: their texts are hostile."""

from __future__ import annotations

import re
from collections.abc import Sequence

from underway.terms.problem import Problem, Refusal
from underway.terms.release import APP_NAME
from underway.terms.route import AppRoute

_HOST = re.compile(
    r"(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
"""A host name (RFC 1035, lower case, underscores as they occur) or an address in the place of one; `*.` may lead."""
_PREFIX = re.compile(r"/(?:(?!\.{1,2}/)[A-Za-z0-9._~-]+/)*(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?")
_TLS = ("off", "internal", "auto")


def require_sound(routes: Sequence[AppRoute]) -> None:
    """Raise `Refusal` with every problem of `routes`: names, hosts, two apps under one host, prefixes, ports."""
    problems: list[Problem] = []
    owner: dict[str, str] = {}
    for route in routes:
        problems += _problems_of(route)
        for host in route.hosts:
            if owner.setdefault(host, route.app) != route.app:
                problems.append(
                    Problem(
                        code="proxy.host-taken",
                        where=f"{route.app}: {host[:80]}",
                        why=f"the app {owner[host]} already answers under this host",
                        remedy="give each host to one app, or take the other app down",
                        command=f"underway down {owner[host]}",
                    )
                )
    if problems:
        raise Refusal(problems)


def _problems_of(route: AppRoute) -> list[Problem]:
    def problem(what: str, why: str, remedy: str) -> Problem:
        return Problem(code="proxy.route", where=f"{route.app[:40]}: {what[:80]!r}", why=why, remedy=remedy)

    found = []
    if not APP_NAME.fullmatch(route.app):
        found.append(problem(route.app, "this cannot be an app's name", "use lower-case letters, digits and hyphens"))
    found += [
        problem(host, "this is not a host name", "write a name such as shop.example.org")
        for host in route.hosts
        if not _HOST.fullmatch(host)
    ]
    if not route.hosts:
        found.append(problem(route.app, "it has no host to answer under", "give it at least APP.localhost"))
    if route.static_url and not _PREFIX.fullmatch(route.static_url):
        found.append(
            problem(route.static_url, "this is not a path prefix", "start it with / and use letters, digits and ._~-")
        )
    if route.tls not in _TLS:
        found.append(problem(route.tls, "this is not a kind of TLS", f"use one of {', '.join(_TLS)}"))
    ports = [port for slot in route.slots for port in slot.ports]
    found += [problem(str(port), "this is not a port", "use 1 to 65535") for port in ports if not 0 < port < 65_536]
    if len({slot.slot for slot in route.slots}) != 2:
        found.append(problem("slots", "a route names slot A and slot B once each", "name both"))
    return found
