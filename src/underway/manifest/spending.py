"""`[budget]` and `[[keep_awake]]`: what may be used in a month, and what is kept awake."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from underway.manifest import words
from underway.manifest.keys import Key, Table
from underway.manifest.kinds import Flag, Number, Whole
from underway.manifest.measures import Duration, Size
from underway.manifest.monitor import NAME, TARGET

PRICE = Number(0, 1_000_000)
COUNT = Whole(0, 10**15)


@dataclass(frozen=True)
class PriceKeys:
    """`[budget.prices]`, in the money of `cost`."""

    month: Annotated[float, Key("month", PRICE, "7", "What is paid for a month, whatever is used.")] = 0.0
    hour: Annotated[float, Key("hour", PRICE, "0.0083", "For an hour of one instance.")] = 0.0
    gigabyte: Annotated[float, Key("gigabyte", PRICE, "0.10", "For 10⁹ bytes that were sent to visitors.")] = 0.0
    million: Annotated[float, Key("million", PRICE, "0.40", "For a million requests.")] = 0.0


@dataclass(frozen=True)
class BudgetKeys:
    """`[budget]`. What is 0 or left out is not limited."""

    first_day: Annotated[
        int, Key("first_day", Whole(1, 28), "15", "The day on which the month begins (UTC), as the bill has it.")
    ] = 1
    hours: Annotated[
        float, Key("hours", Number(0, 1_000_000), "750", "Instances together may run so many hours in a month.")
    ] = 0.0
    requests: Annotated[int, Key("requests", COUNT, "1_000_000", "So many requests may be answered in a month.")] = 0
    bandwidth_bytes: Annotated[
        int,
        Key("bandwidth", Size("0B", "1000TB"), '"100GB"', "So much may be sent to visitors in a month (bodies)."),
    ] = 0
    rows: Annotated[
        int, Key("rows", COUNT, "500_000", "So many rows may be in the database that Underway keeps for the app.")
    ] = 0
    cost: Annotated[float, Key("cost", PRICE, "25", "So much may be paid for a month, by `prices`.")] = 0.0
    prices: Annotated[PriceKeys, Table("prices", PriceKeys, "What things cost, for `cost`.")] = field(
        default_factory=PriceKeys
    )


@dataclass(frozen=True)
class KeepAwakeKeys:
    """`[[keep_awake]]`."""

    name: Annotated[str, Key("name", NAME, '"staging"', "What it is called, in this app once.")]
    target: Annotated[
        str,
        Key("target", TARGET, '"https://shop-staging.onrender.com/health"', "The address that is asked, so that its "
            "host does not let it sleep."),
    ]  # fmt: skip
    allowance_s: Annotated[
        float,
        Key(
            "allowance",
            Duration("1s", "32d"),
            '"750h"',
            "It is kept awake for so long in a month, and no longer: what a host gives for nothing.",
        ),
    ]
    every_s: Annotated[
        float, Key("every", Duration("1s", "1h"), '"10m"', "How often it is asked; more often than it falls asleep.")
    ] = 600.0
    sleeps_after_s: Annotated[
        float,
        Key("sleeps_after", Duration("1s", "1d"), '"15m"', "After so long without a request its host lets it sleep."),
    ] = 900.0
    hours: Annotated[
        tuple[str, ...],
        Key(
            "hours",
            words.SPANS,
            '["Mon-Fri 07:00-19:00"]',
            "Only then, in the time zone of `[alerts]`. Left out: at any time, as far as the allowance goes.",
        ),
    ] = ()
    timeout_s: Annotated[float, Key("timeout", Duration("1s", "5m"), '"90s"', "To wake may take so long.")] = 90.0
    private: Annotated[
        bool, Key("private", Flag(), "true", "The address may be in a private network or on this machine.")
    ] = False
