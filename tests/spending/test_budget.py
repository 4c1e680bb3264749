"""What a month used, what will have been used at its end, and the day it runs out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from underway.spending.budget import DAY_S, Used, month, shown, spending

MOMENTS = some.floats(0, 4e9)
DAYS = some.integers(1, 28)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "first_day", "since", "until"),
    [
        ("2026-11-21T12:00", 1, "2026-11-01", "2026-12-01"),
        ("2026-11-01T00:00", 1, "2026-11-01", "2026-12-01"),
        ("2026-11-14T23:59", 15, "2026-10-15", "2026-11-15"),
        ("2027-01-03T08:00", 28, "2026-12-28", "2027-01-28"),
        ("2028-02-29T08:00", 1, "2028-02-01", "2028-03-01"),
    ],
)
def test_a_month_begins_on_the_day_of_the_bill(now: str, first_day: int, since: str, until: str) -> None:
    assert month(at(now), first_day) == (at(since), at(until))


@given(MOMENTS, DAYS)
def test_months_follow_each_other_without_a_gap(now: float, first_day: int) -> None:
    since, until = month(now, first_day)
    assert since <= now < until
    assert 28 * DAY_S <= until - since <= 31 * DAY_S
    assert month(until, first_day)[0] == until
    assert month(since, first_day) == (since, until)


WEEK_S = 7 * DAY_S
PACE = "at the pace of the last week"
NOW, SINCE, UNTIL = at("2026-11-11"), at("2026-11-01"), at("2026-12-01")


@pytest.mark.parametrize(
    ("used", "lately", "lately_s", "runs_out", "says", "marks"),
    [
        (100, 70, WEEK_S, "", f"(10 %); {PACE} 300 requests will be on 2026-12-01", ()),
        (500, 350, WEEK_S, "2026-11-21", f"(50 %); {PACE} it runs out on 2026-11-21", (50,)),
        (800, 1400, WEEK_S, "2026-11-12", f"(80 %); {PACE} it runs out on 2026-11-12", (50, 80)),
        (1000, 70, WEEK_S, "", "(100 %); it begins again on 2026-12-01", (50, 80, 100)),
        (1200, 0, WEEK_S, "", "(120 %); it begins again on 2026-12-01", (50, 80, 100)),
        (0, 0, 0.0, "", f"(0 %); {PACE} 0 requests will be on 2026-12-01", ()),
    ],
)
def test_requests_of_a_month(
    used: int, lately: float, lately_s: float, runs_out: str, says: str, marks: tuple[int, ...]
) -> None:
    found = spending("shop", Used("requests", "requests", used, 1000, lately, lately_s), SINCE, UNTIL, NOW)
    assert (found.says, found.marks) == (f"{used:,} of 1,000 requests are used {says}", marks)
    assert found.runs_out_at == pytest.approx(at(runs_out) if runs_out else 0.0)


def test_rows_do_not_begin_again_and_may_run_out_in_another_month() -> None:
    grown = Used("rows", "rows", 400, 1000, 70, 7 * DAY_S, is_level=True)
    found = spending("shop", grown, SINCE, UNTIL, NOW)
    assert found.runs_out_at == pytest.approx(at("2027-01-10"))
    assert (found.since, found.until) == (0.0, 0.0)
    shrunk = spending("shop", grown._replace(lately=-5), SINCE, UNTIL, NOW)
    assert shrunk.runs_out_at == 0.0
    assert shrunk.says == f"400 of 1,000 rows are used (40 %); {PACE} that is enough for ten years"


def test_a_minute_of_a_new_app_is_no_pace() -> None:
    found = spending("shop", Used("requests", "requests", 60, 100_000, 60, 60.0), SINCE, UNTIL, NOW)
    assert found.per_day == 60 * 24, "as if the hour had no more"


AMOUNTS = some.floats(0, 1e12)
ALLOWED = some.floats(1, 1e12)


@given(AMOUNTS, AMOUNTS, ALLOWED, some.floats(0, 7 * DAY_S), some.floats(0, 1), some.booleans())
def test_the_day_it_runs_out_is_the_day_its_pace_leads_to(
    used: float, more: float, allowed: float, lately_s: float, part: float, is_level: bool
) -> None:
    now = SINCE + part * (UNTIL - SINCE - 1)
    it = Used("hours", "h", used, allowed, used * part, lately_s, is_level)
    found = spending("shop", it, SINCE, UNTIL, now)
    if found.runs_out_at:
        assert used < allowed
        assert found.runs_out_at >= now
        assert is_level or found.runs_out_at < UNTIL
        assert used + found.per_day / DAY_S * (found.runs_out_at - now) == pytest.approx(allowed, rel=1e-6, abs=1e-3)
        sooner = spending("shop", it._replace(used=min(used + more, allowed * 0.999)), SINCE, UNTIL, now)
        assert not sooner.runs_out_at or used + more < used or sooner.runs_out_at <= found.runs_out_at + 1e-3
    elif used < allowed and not is_level:
        assert found.at_end <= allowed * (1 + 1e-9)
    assert found.at_end >= used
    assert list(found.marks) == [mark for mark in (50, 80, 100) if 100 * used >= mark * allowed]


def test_amounts_are_told_with_their_units() -> None:
    assert [shown(1.5e9, "bytes"), shown(10, "bytes"), shown(12.5, "h"), shown(7, "money"), shown(1e6, "rows")] == [
        "1.5 GB", "10 B", "12.5 h", "7.00", "1,000,000 rows",
    ]  # fmt: skip
