"""`[[alerts.limits]]` and `[[alerts.steps]]`: limits of one's own, and what to do about an alert."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from underway.manifest.keys import Key
from underway.manifest.kinds import Choice, Text, Whole
from underway.manifest.measures import Duration, bytes_of, seconds_of
from underway.manifest.spot import Spot
from underway.terms.alert import Severity

SHARES = ("errors", "disk")
TIMES = ("p50", "p95", "p99")
COUNTS = ("requests", "connections", "processors")
SIZES = ("memory",)
MEASURES = (*SHARES, *TIMES, *COUNTS, *SIZES)
_EXAMPLES = {
    **dict.fromkeys(SHARES, "2%"),
    **dict.fromkeys(TIMES, "500ms"),
    **dict.fromkeys(SIZES, "1GB"),
    **dict.fromkeys(COUNTS, "40"),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s?%", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,3})?", re.ASCII)


def _name(text: str) -> tuple[str, str] | None:
    return None if _NAME.fullmatch(text) else ("it is no name", "use letters, digits, spaces, dots, _ and -")


def limit_of(measure: str, text: str) -> float | None:
    """The number that `text` stands for: a share (`"2%"` is 0.02), milliseconds, bytes, or a count; None for what is
    none of the measure's."""
    if measure in SHARES:
        found = _PERCENT.fullmatch(text)
        return float(found[1]) / 100 if found and float(found[1]) <= 100 else None
    if measure in TIMES:
        seconds = seconds_of(text)
        return float(seconds) * 1000 if seconds is not None else None
    if measure in SIZES:
        size = bytes_of(text)
        return float(size) if size is not None else None
    return float(text) if _NUMBER.fullmatch(text) else None


VALUE = Text('a share ("2%"), time ("500ms"), size ("600MB") or count ("40")', '"2%"', 20, may_be_empty=True)
OF = Text("what it is about", '"errors.burst"', 100)
DO = Text("what to do", '"Call the payment provider, then roll back."', 1000)


@dataclass(frozen=True)
class LimitKeys:
    """`[[alerts.limits]]`."""

    name: Annotated[
        str,
        Key(
            "name",
            Text("a name", '"checkout fails"', 60, _name),
            '"checkout fails"',
            "What it is called, in this app once.",
        ),
    ]
    of: Annotated[
        str,
        Key(
            "of",
            Choice(MEASURES),
            '"errors"',
            "What is measured, in the last `window`: the share of requests that failed (`errors`), a quantile of the "
            "times of answers (`p50`, `p95`, `p99`), `requests` a minute, processors in use (`processors`), `memory` "
            "of the live release, `connections` of its database, how full the `disk` is. A limit for errors takes the "
            "place of `errors.burst`, one for a quantile that of `latency.slow`, one for the disk that of "
            "`disk.nearly-full`.",
        ),
    ]
    over: Annotated[
        str, Key("over", VALUE, '"2%"', "Too much is more than this: a share, a time, a size or a count.")
    ] = ""
    under: Annotated[str, Key("under", VALUE, '"30"', "Too little is less than this.")] = ""
    window_s: Annotated[
        float, Key("window", Duration("30s", "30m"), '"5m"', "Over how long requests are counted and times taken.")
    ] = 60.0
    least: Annotated[
        int,
        Key(
            "least",
            Whole(1, 1_000_000),
            "100",
            "Errors and quantiles of fewer requests say nothing.",
        ),
    ] = 10
    for_s: Annotated[
        float, Key("for", Duration("0s", "1d"), '"5m"', "It must have been so for this long before anybody is told.")
    ] = 60.0
    severity: Annotated[
        str,
        Key("severity", Choice(tuple(each.value for each in Severity)), '"critical"', "Of the alert."),
    ] = "warning"


@dataclass(frozen=True)
class StepKeys:
    """`[[alerts.steps]]`."""

    of: Annotated[
        str,
        Key(
            "of",
            OF,
            '"errors.burst"',
            "Which alert: its code (`app.down`), its key (`monitor front page`, `limit checkout fails`), or `*` for "
            "all others.",
        ),
    ]
    do: Annotated[
        str,
        Key(
            "do",
            DO,
            '"Call the payment provider, then roll back."',
            "What to do then, in words of your own. It is in every message of the alert, in the place of the step of "
            "[the runbook](runbook.md).",
        ),
    ]


def limit_fits(limit: LimitKeys, spot: Spot) -> None:
    """One bound, in the unit of what is measured."""
    given = [(name, text) for name, text in (("over", limit.over), ("under", limit.under)) if text]
    if len(given) != 1:
        spot.at("over").refuse("a limit has one of over and under", "keep one of them", "manifest.conflict")
        return
    name, text = given[0]
    if limit_of(limit.of, text) is None:
        spot.at(name).refuse(
            f"it is no limit of {limit.of}", f'write it as "{_EXAMPLES[limit.of]}"', "manifest.conflict"
        )
