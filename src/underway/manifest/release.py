"""`[release]`: how a release takes over, who lets it, and what takes it back."""

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
class Margins:
    """`[release.margins]`: how much worse than the running release a new one may be. `slower` are fractions, 0.25 for
    "25%"."""

    error_ratio: Annotated[
        float, Key("error_ratio", words.RATIO, "2.0", "Errors: this many times those of the running release.")
    ] = 1.5
    error_margin: Annotated[
        float, Key("error_margin", words.RATE, '"0.5%"', "Errors: this much more of all requests, on top.")
    ] = 0.001
    slower: Annotated[
        float, Key("slower", words.SLOWER, '"40%"', "Answers slower by more than this take the release back.")
    ] = 0.25
    slower_ask: Annotated[
        float,
        Key(
            "slower_ask",
            words.SLOWER,
            '"15%"',
            "Slower by more than this, and less than `slower`: the release waits for a person. With several instances "
            "a side they differ less by chance, and this alone takes it back.",
        ),
    ] = 0.10


@dataclass(frozen=True)
class Approve:
    """`[release.approve]`: a person lets the release go on at each step."""

    by: Annotated[
        tuple[str, ...],
        Key("by", words.PEOPLE, '["ana", "ben"]', "Who may: one of these. Empty: anybody who can reach the agent."),
    ] = ()
    is_second: Annotated[
        bool,
        Key("second_person", words.FLAG, "true", "The approval must not come from who began the deploy."),
    ] = False


@dataclass(frozen=True)
class Windows:
    """`[release.windows]`: when a release may get more users."""

    allow: Annotated[
        tuple[str, ...],
        Key("allow", words.SPANS, '["Mon-Thu 09:00-17:00", "Fri 09:00-15:00"]', "Only then. Empty: at any time."),
    ] = ()
    deny: Annotated[
        tuple[str, ...], Key("deny", words.SPANS, '["Fri 15:00-24:00", "Sat-Sun"]', "Not then, whatever `allow` says.")
    ] = ()
    timezone: Annotated[
        str, Key("timezone", words.TIMEZONE, '"Europe/Berlin"', "The zone of these times (IANA name).")
    ] = "UTC"


@dataclass(frozen=True)
class ReleaseKeys:
    """`[release]`. `strategy` is auto | canary | blue-green | instant; `steps` are percentages of traffic;
    `watch_s` how long a release is watched at 100 %; `keep` how many releases are kept."""

    strategy: Annotated[
        str,
        Key(
            "strategy",
            words.STRATEGY,
            '"canary"',
            "How traffic moves. `canary` moves it in `steps`, each when the requests of both releases allow it; "
            "`blue-green` moves all of it at once and watches; `instant` moves it and does not watch. `auto` is a "
            "canary when the last ten minutes brought enough requests to compare releases by, else blue-green; the "
            "plan says which and why.",
        ),
    ] = "auto"
    steps: Annotated[
        tuple[int, ...],
        Key(
            "steps",
            words.STEPS,
            "[0, 5, 50]",
            "The percentages of traffic of a canary, ascending. A leading 0 is the dark step: live for those who ask "
            "for it (`?underway_release=candidate`, or the header `X-Underway-Release: candidate`), for nobody else.",
        ),
    ] = (5, 25, 50)
    step_s: Annotated[
        float,
        Key("step_time", words.STEP_TIME, '"5m"', "A step lasts at least this long: a fault needs time to show."),
    ] = 100.0
    patience_s: Annotated[
        float,
        Key("patience", words.PATIENCE, '"1h"', "A step without a verdict by then is quiet: see `when_quiet`."),
    ] = 1800.0
    when_quiet: Annotated[
        str,
        Key(
            "when_quiet",
            words.WHEN_QUIET,
            '"probe"',
            "What a canary does when there is too little traffic for a verdict: `wait` for it and ask a person, "
            "`probe` with `[[smoke]]` and `[[journey]]` beside the users and then ask, or `advance` with eyes open.",
        ),
    ] = "wait"
    probes_promote: Annotated[
        bool,
        Key(
            "probes_promote",
            words.FLAG,
            "true",
            "Probes count as evidence to go on. Off: a probe that never touches the broken path would let it through.",
        ),
    ] = False
    approve: Annotated[
        Approve | None,
        Table("approve", Approve, "A person lets the release go on at each step.", is_switch=True),
    ] = None
    windows: Annotated[
        Windows,
        Table(
            "windows",
            Windows,
            "When a release may get more users; it waits until then. Taking one back never waits. Spans are days, "
            "times, or both: `Mon-Fri 09:00-17:00`, `Sat-Sun`, `22:00-06:00`.",
        ),
    ] = field(default_factory=Windows)
    watch_s: Annotated[
        float,
        Key(
            "watch",
            words.WATCH,
            '"30m"',
            "How long a release is watched after it has all traffic, while the old one stays warm. `underway deploy` "
            "returns after the first seconds of it; the agent goes on watching.",
        ),
    ] = 600.0
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
    margins: Annotated[
        Margins, Table("margins", Margins, "How much worse than the running release a new one may be.")
    ] = field(default_factory=Margins)
