"""Where the limits lie: just below nothing is wrong, just above it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from underway.alerts.conditions import Condition
from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.flows.wrongs import wrongs
from underway.journal.journal import Journal
from underway.terms.alert import Severity
from underway.terms.home import Home
from underway.terms.metrics import CONNECTIONS, CPU, DATABASE, MEMORY, Point, release_subject
from underway.terms.monitor import MonitorKind, MonitorState, MonitorStatus
from underway.terms.process import Instance, InstanceSpec, InstanceState
from underway.terms.release import Slot

from .releases import live_release

NOW = 1_800_000_000.0
HEAD = 'app = "shop"\n[processes.web]\ncommand = "true"\n'
GB = 1 << 30


class Shop:
    """An app that is live, with figures that a test writes: a real store and a real journal; a machine of its own."""

    def __init__(self, folder: Path, more: str = "", head: str = HEAD) -> None:
        clock = SystemClock()
        self.journal = Journal(SqliteEventLog(folder / "journal.db", clock))
        live_release(self.journal, "shop", head + more)
        self.metrics = SqliteMetrics(folder / "metrics.db")
        self.free, self.instances = 500 * GB, list[Instance]()
        self.on: Any = SimpleNamespace(
            metrics=self.metrics,
            clock=SimpleNamespace(now=lambda: NOW),
            home=Home(root=folder),
            machine=SimpleNamespace(
                disk_free_bytes=lambda: self.free, disk_bytes=lambda: 1000 * GB, memory_bytes=lambda: 8 * GB
            ),
            runtime=SimpleNamespace(instances=lambda app: self.instances),
        )

    def answer(self, ago_s: float, served: int = 0, failed: int = 0, took_ms: float = 20.0) -> None:
        point = Point(served=served, failed=failed)
        for _ in range(served + failed):
            point.took.add(took_ms)
        self.metrics.put("shop", release_subject("r1"), NOW - ago_s, point)

    def use(self, ago_s: float, subject: str = "", **gauges: float) -> None:
        point = Point()
        for name, value in gauges.items():
            point.gauge(name).add(value)
        self.metrics.put("shop", subject or release_subject("r1"), NOW - ago_s, point)

    def wrong(self, *monitors: MonitorStatus) -> dict[str, Condition]:
        return {it.key: it for it in wrongs(self.journal.state("shop"), monitors, self.on, NOW)}

    def codes(self) -> dict[str, str]:
        return {key: it.problem.code for key, it in self.wrong().items() if not key.startswith("budget")}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("served", "failed", "is_burst"),
    [(0, 9, False), (0, 10, True), (190, 10, True), (191, 10, False), (10_000, 500, False), (9_500, 500, True)],
)
def test_a_burst_is_ten_failures_and_a_twentieth_of_a_minute(
    shop: Shop, served: int, failed: int, is_burst: bool
) -> None:
    shop.answer(20, served, failed)
    assert ("errors" in shop.codes()) is is_burst


def test_a_burst_of_more_than_a_minute_ago_is_over(shop: Shop) -> None:
    shop.answer(75, 0, 100)
    assert "errors" not in shop.codes()


@pytest.mark.parametrize(("took_ms", "is_slow"), [(295, False), (310, True)])
def test_slow_is_three_times_as_long_and_two_hundred_milliseconds_more(
    shop: Shop, took_ms: float, is_slow: bool
) -> None:
    for minute in range(5, 50):
        shop.answer(60 * minute, 20, took_ms=100.0)
    shop.answer(20, 60, took_ms=took_ms)
    assert ("latency" in shop.codes()) is is_slow


def test_a_quick_app_that_takes_three_times_as_long_is_still_quick(shop: Shop) -> None:
    for minute in range(5, 50):
        shop.answer(60 * minute, 20, took_ms=5.0)
    shop.answer(20, 60, took_ms=190.0)
    assert shop.codes() == {}


def test_a_few_slow_answers_at_night_wake_nobody(shop: Shop) -> None:
    for minute in range(5, 50):
        shop.answer(60 * minute, 20, took_ms=100.0)
    shop.answer(20, 49, took_ms=5_000.0)
    assert "latency" not in shop.codes()


def leak(shop: Shop, over_s: int, first_mb: float, mb_per_min: float, flat_s: int = 0) -> None:
    for ago in range(over_s + flat_s, 0, -10):
        grown = max(0.0, over_s - ago) / 60 * mb_per_min
        shop.use(ago, **{MEMORY: (first_mb + grown) * 1e6})


@pytest.mark.parametrize(
    ("over_s", "mb_per_min", "is_leak"),
    [
        (1790, 8.0, True),  # 8 GB in 16 hours, seen for half an hour
        (1790, 1.0, False),  # 30 MB in half an hour: a fifth of nothing
        (1200, 8.0, False),  # not for half an hour yet
        (600, 200.0, True),  # 8 GB within the hour, seen for ten minutes
        (600, 40.0, False),  # three hours are left: time to be sure
        (300, 200.0, False),  # warming up
    ],
)
def test_a_slow_leak_needs_half_an_hour_and_a_quick_one_ten_minutes(
    shop: Shop, over_s: int, mb_per_min: float, is_leak: bool
) -> None:
    leak(shop, over_s, 100.0, mb_per_min)
    assert ("memory" in shop.codes()) is is_leak


def test_memory_that_grew_and_settled_is_no_leak(shop: Shop) -> None:
    for ago in range(1790, 0, -10):
        shop.use(ago, **{MEMORY: min(400.0, 100.0 + (1790 - ago) / 2) * 1e6})
    assert "memory" not in shop.codes()


def test_a_leak_that_begins_late_is_noticed_within_ten_minutes(shop: Shop) -> None:
    leak(shop, 600, 100.0, 200.0, flat_s=1200)
    assert shop.codes()["memory"] == "memory.leak"


@pytest.mark.parametrize(("used_mb", "is_full"), [(890, False), (910, True)])
def test_memory_near_the_manifests_limit_is_told(tmp_path: Path, used_mb: float, is_full: bool) -> None:
    shop = Shop(tmp_path, head=HEAD + 'memory = "1000MB"\n')
    for ago in (50, 40, 30, 20, 10):
        shop.use(ago, **{MEMORY: used_mb * 1e6})
    assert ("memory full" in shop.codes()) is is_full


@pytest.mark.parametrize(
    ("free_gb", "severity"), [(21, None), (19, Severity.WARNING), (6, Severity.WARNING), (4, Severity.CRITICAL)]
)
def test_twenty_gigabytes_are_enough_on_a_large_disk(shop: Shop, free_gb: int, severity: Severity | None) -> None:
    shop.free = free_gb * GB
    found = shop.wrong().get("disk")
    assert (found and found.severity) == severity


def monitor(state: MonitorState, certificate_days: float = 0.0) -> MonitorStatus:
    until = NOW + certificate_days * 86_400 if certificate_days else 0.0
    return MonitorStatus(
        app="shop",
        name="front",
        kind=MonitorKind.HTTP,
        target="https://x",
        state=state,
        since=NOW - 30,
        says="no answer",
        certificate_until=until,
    )


@pytest.mark.parametrize(
    ("days", "severity"), [(14.1, None), (13.9, Severity.WARNING), (2.9, Severity.CRITICAL), (-1.0, Severity.CRITICAL)]
)
def test_a_certificate_is_told_of_two_weeks_before_its_end(shop: Shop, days: float, severity: Severity | None) -> None:
    found = shop.wrong(monitor(MonitorState.UP, days)).get("certificate front")
    assert (found and found.severity) == severity


def test_a_monitor_that_is_down_is_told_since_it_failed_first(shop: Shop) -> None:
    found = shop.wrong(monitor(MonitorState.DOWN))["monitor front"]
    assert (found.since, found.severity) == (NOW - 30, Severity.CRITICAL)


def test_a_machine_that_is_offline_says_nothing_of_the_site(shop: Shop) -> None:
    found = shop.wrong(monitor(MonitorState.OFFLINE))
    assert [(it.problem.code, it.severity) for it in found.values()] == [("machine.offline", Severity.NOTE)]


def test_an_instance_that_ended_is_told_for_half_a_minute_and_one_that_keeps_ending_until_it_stays(shop: Shop) -> None:
    def run(state: InstanceState, restarts: int, ago_s: float) -> dict[str, str]:
        spec = InstanceSpec(
            id="shop.r1.web.0", app="shop", release="r1", process="web", number=0, slot=Slot.A, command="true", cwd="/"
        )
        shop.instances = [
            Instance(spec=spec, pid=1, state=state, started_at=NOW - ago_s, restarts=restarts, exit_code=-9)
        ]
        return shop.codes()

    assert run(InstanceState.RUNNING, 1, 29) == {"process web 1": "process.ended"}
    assert run(InstanceState.RUNNING, 1, 31) == {}
    assert run(InstanceState.RUNNING, 0, 5) == {}
    assert run(InstanceState.CRASH_LOOP, 6, 600) == {"process web 1": "process.crash-loop"}


LIMIT = '[[alerts.limits]]\nname = "mine"\nof = "{of}"\n{bound}\nwindow = "5m"\n'


@pytest.mark.parametrize(
    ("of", "bound", "above", "below"),
    [
        ("errors", 'over = "2%"', {"served": 97, "failed": 3}, {"served": 99, "failed": 1}),
        ("p95", 'over = "300ms"', {"served": 50, "took_ms": 320.0}, {"served": 50, "took_ms": 280.0}),
        ("requests", 'under = "10"', {"served": 40}, {"served": 60}),
    ],
)
def test_a_limit_of_ones_own_is_passed_or_not(
    tmp_path: Path, of: str, bound: str, above: dict[str, Any], below: dict[str, Any]
) -> None:
    for name, figures, is_passed in (("above", above, True), ("below", below, False)):
        folder = tmp_path / name
        folder.mkdir()
        shop = Shop(folder, LIMIT.format(of=of, bound=bound))
        shop.answer(100, **figures)
        found = shop.wrong()
        assert ("limit mine" in found) is is_passed, found
        if is_passed:
            assert (found["limit mine"].problem.code, found["limit mine"].for_s) == ("limit.passed", 60.0)


@pytest.mark.parametrize(
    ("of", "over", "gauge", "subject"),
    [
        ("memory", "600MB", {MEMORY: 610e6}, ""),
        ("processors", "1.5", {CPU: 1.6}, ""),
        ("connections", "40", {CONNECTIONS: 41.0}, DATABASE),
    ],
)
def test_limits_of_what_is_used_are_of_the_newest_reading(
    tmp_path: Path, of: str, over: str, gauge: dict[str, float], subject: str
) -> None:
    shop = Shop(tmp_path, LIMIT.format(of=of, bound=f'over = "{over}"') + 'severity = "critical"\nfor = "2m"\n')
    shop.use(30, subject, **gauge)
    found = shop.wrong()["limit mine"]
    assert (found.severity, found.for_s) == (Severity.CRITICAL, 120.0)
    shop.use(5, subject, **{name: value / 2 for name, value in gauge.items()})
    assert "limit mine" not in shop.wrong()


def test_a_limit_for_errors_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIMIT.format(of="errors", bound='over = "50%"'))
    shop.answer(20, 80, 20)
    assert shop.codes() == {}
