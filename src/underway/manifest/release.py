"""`[release]`: how a release takes over, and what takes it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from underway.manifest import words
from underway.manifest.failures import Failures
from underway.manifest.keys import Key, Table


@dataclass(frozen=True)
class Limits:
    """`[release.limits]`: what a release may not exceed. Rates are fractions, 0.05 for "5%"."""

    failed_health_checks: Annotated[
        int, Key("failed_health_checks", words.FAILED_CHECKS, "5", "This many failed checks in a row.")
    ] = 3
    error_rate: Annotated[float, Key("error_rate", words.RATE, '"2%"', "The share of failed requests.")] = 0.05
    p95_ms: Annotated[float, Key("p95", words.LATENCY, '"800ms"', "95 of 100 requests are answered within it.")] = 500.0
    memory_bytes: Annotated[int, Key("memory", words.LIMIT_MEMORY, '"2GB"', "Memory of one instance.")] = 1_000_000_000


@dataclass(frozen=True)
class ReleaseKeys:
    """`[release]`. `strategy` is auto | canary | blue-green | instant; `steps` are percentages of traffic;
    `watch_s` how long a release is watched after the switch; `keep` how many releases are kept."""

    strategy: Annotated[
        str,
        Key(
            "strategy",
            words.STRATEGY,
            '"canary"',
            "How traffic moves. `blue-green` moves all of it at once and watches (`auto` is this); `canary` moves it "
            "in `steps`, each when the requests of both releases allow it; `instant` moves it and does not watch.",
        ),
    ] = "auto"
    steps: Annotated[
        tuple[int, ...], Key("steps", words.STEPS, "[1, 10, 50]", "The percentages of traffic of a canary, ascending.")
    ] = (5, 25, 50)
    watch_s: Annotated[
        float, Key("watch", words.WATCH, '"30s"', "How long a release is watched after it has all traffic.")
    ] = 5.0
    drain_s: Annotated[
        float, Key("drain", words.DRAIN, '"1m"', "How long requests of the old release may take to end.")
    ] = 30.0
    keep_warm_s: Annotated[
        float, Key("keep_warm", words.WATCH, '"1h"', "How long the old release keeps running, ready for a rollback.")
    ] = 600.0
    keep: Annotated[int, Key("keep", words.KEEP, "10", "How many releases are kept on disk.")] = 5
    warm_up: Annotated[
        int, Key("warm_up", words.WARM_UP, "20", "Requests made to each new instance before it gets traffic.")
    ] = 3
    limits: Annotated[Limits, Table("limits", Limits, "A release that exceeds one of these is taken back.")] = field(
        default_factory=Limits
    )
    failures: Annotated[Failures, Table("failures", Failures, "Which answers count as failed, and for whom.")] = field(
        default_factory=Failures
    )
