"""`[release.failures]`: which answers count against a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from underway.manifest import words
from underway.manifest.keys import Key


@dataclass(frozen=True)
class Failures:
    """`[release.failures]`: which answers count against a release. 502 and 504 always do: the app gave no answer."""

    statuses: Annotated[
        tuple[str, ...],
        Key(
            "statuses",
            words.FAILED_STATUSES,
            '["5xx", "429"]',
            "The statuses of failed requests. 502 and 504 always are; a 4xx only when it is named here; a client that "
            "went away never is.",
        ),
    ] = ("5xx",)
    exclude: Annotated[
        tuple[str, ...],
        Key(
            "exclude",
            words.ROUTES,
            '["/metrics", "GET /export/*"]',
            "Requests that count for nothing: a path, `*` for any characters, with or without a method. The health "
            "path is left out by itself, unless it is `/`.",
        ),
    ] = ()
    monitors: Annotated[
        tuple[str, ...],
        Key(
            "monitors",
            words.MONITORS,
            '["UptimeRobot", "our-checker"]',
            "Who sends one of these words in `User-Agent` is a monitor, not a user: its requests count for nothing.",
        ),
    ] = (
        "UptimeRobot",
        "Pingdom",
        "StatusCake",
        "Site24x7",
        "Better Uptime",
        "HetrixTools",
        "Datadog/Synthetics",
        "GoogleHC",
        "GoogleStackdriverMonitoring",
        "ELB-HealthChecker",
        "kube-probe",
        "check_http",
        "Prometheus",
        "Blackbox Exporter",
    )
