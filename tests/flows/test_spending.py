"""Budgets of a month, read from the figures that the agent keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.flows.releases import live_release

from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.flows.spending import spendings, spent
from underway.journal.app_state import AppState
from underway.journal.journal import Journal
from underway.terms.alert import Severity
from underway.terms.metrics import DATABASE, ROWS, RUN_S, Point, release_subject
from underway.terms.route import LogOffset

NOW = datetime(2026, 11, 11, tzinfo=UTC).timestamp()
HOUR_S, DAY_S = 3600.0, 86_400.0
MANIFEST = """
manifest = 1
app = "shop"

[processes]
web = "serve"

[budget]
hours = 750
requests = 1_000_000
bandwidth = "100GB"
rows = 10_000
cost = 20

[budget.prices]
month = 5
hour = 0.01
gigabyte = 0.1
million = 2
"""


@pytest.fixture
def lived(tmp_path: Path) -> Callable[[str], AppState]:
    """The app as it is while a release with this manifest is live."""

    def of(manifest: str) -> AppState:
        journal = Journal(SqliteEventLog(tmp_path / f"{len(list(tmp_path.iterdir()))}.db", SystemClock()))
        live_release(journal, "shop", manifest)
        return journal.state("shop")

    return of


@pytest.fixture
def metrics(tmp_path: Path) -> SqliteMetrics:
    """Since 20 October: 2 instances, 1,000 requests and 100 MB an hour; from 4 November a second release with 2,000."""
    store = SqliteMetrics(tmp_path / "metrics.db")
    for hour in range(int((NOW - 22 * DAY_S) // HOUR_S), int(NOW // HOUR_S)):
        at = hour * HOUR_S
        is_new = at >= NOW - 7 * DAY_S
        point = Point(served=1989 if is_new else 990, failed=10, gone=1 if is_new else 0, sent_bytes=100_000_000)
        point.gauge(RUN_S).add(2 * HOUR_S)
        store.put("shop", release_subject("R2" if is_new else "R1"), at, point)
        rows = Point()
        rows.gauge(ROWS).add(4000 + 10 * max(0.0, at - (NOW - 7 * DAY_S)) / HOUR_S)
        store.put("shop", DATABASE, at, rows)
    store.write(LogOffset())
    return store


def test_a_month_is_added_up_over_its_releases_and_told_at_its_marks(
    metrics: SqliteMetrics, lived: Callable[[str], AppState]
) -> None:
    found = {it.name: it for it in spendings(lived(MANIFEST), metrics, NOW)}
    hours = 10 * 24
    assert found["hours"].used == pytest.approx(2 * hours)
    assert found["requests"].used == 3 * 24 * 1000 + 7 * 24 * 2000
    assert found["bandwidth"].used == pytest.approx(hours * 1e8)
    assert found["rows"].used == 4000 + 10 * (7 * 24 - 1)
    assert found["cost"].used == pytest.approx(5 + 2 * hours * 0.01 + hours * 0.1 * 0.1 + 0.408 * 2)
    assert found["requests"].per_day == pytest.approx(48_000)
    day = {name: datetime.fromtimestamp(it.runs_out_at, UTC).date().isoformat() for name, it in found.items()}
    assert day["hours"] == "2026-11-16", "270 hours are left, at 48 a day"
    assert day["requests"] == "2026-11-23", "592,000 requests are left, at 48,000 a day"
    assert found["bandwidth"].runs_out_at == 0.0
    assert found["bandwidth"].at_end == pytest.approx(72e9)
    assert day["rows"] == "2026-11-29", "4,330 rows are left, at 240 a day"
    said = {it.key: it.severity for it in spent(list(found.values()))}
    assert said == {
        "spending hours 50": Severity.NOTE,
        "spending rows 50": Severity.NOTE,
        "spending cost 50": Severity.NOTE,
    }
    more = MANIFEST.replace("hours = 750", "hours = 480").replace("1_000_000", "500_000")
    said = {it.key: it.severity for it in spent(spendings(lived(more), metrics, NOW))}
    assert said["spending hours 100"] is Severity.CRITICAL
    assert said["spending requests 80"] is Severity.WARNING
    assert "spending requests 100" not in said


def test_a_bill_that_begins_on_another_day_counts_from_there(
    metrics: SqliteMetrics, lived: Callable[[str], AppState]
) -> None:
    found = spendings(lived(MANIFEST.replace("[budget]", "[budget]\nfirst_day = 10")), metrics, NOW)
    assert next(it.used for it in found if it.name == "requests") == 24 * 2000


def test_without_a_budget_nothing_is_read_or_told(metrics: SqliteMetrics, lived: Callable[[str], AppState]) -> None:
    metrics.close()  # reading would raise
    assert spendings(lived(MANIFEST.partition("[budget]")[0]), metrics, NOW) == []
