"""Points over time: what was added is read at every level, once, through restarts, within its bytes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.observe.figures import figures
from underway.terms.metrics import CPU, MEMORY, Level, Mark, Point, monitor_subject, release_subject
from underway.terms.route import LogOffset

NOW = 1_700_000_000.0 // 86_400 * 86_400 + 43_200
HERE = LogOffset(inode=7, byte=100)


def point(*times_ms: float, failed: int = 0, memory: float = 0.0) -> Point:
    made = Point(served=len(times_ms), failed=failed)
    for time_ms in times_ms:
        made.took.add(time_ms)
    if memory:
        made.gauge(MEMORY).add(memory)
    return made


@pytest.fixture
def store(tmp_path: Path) -> SqliteMetrics:
    return SqliteMetrics(tmp_path / "metrics.db")


def test_what_was_added_is_there_at_every_level_before_and_after_it_is_written(store: SqliteMetrics) -> None:
    for second in range(0, 7200, 5):
        store.put("shop", release_subject("one"), NOW + second, point(10.0, failed=second % 2))
        if second % 600 == 0:
            assert store.write(HERE)
    for level, count in ((Level.FINE, 720), (Level.MINUTE, 120), (Level.HOUR, 2)):
        points = store.read("shop", release_subject("one"), level, NOW, NOW + 7200)
        assert len(points) == count
        assert sum(it.served for _, it in points) == 1440
        assert store.counts("shop", release_subject("one"), level, NOW, NOW + 7200) == (1440, 720)
    assert store.read("shop", release_subject("two"), Level.HOUR, NOW, NOW + 7200) == []
    assert store.read("blog", release_subject("one"), Level.HOUR, NOW, NOW + 7200) == []


def test_a_line_that_comes_late_is_merged_into_its_own_time(store: SqliteMetrics) -> None:
    store.put("shop", release_subject("one"), NOW + 3600, point(10.0))
    assert store.write(HERE)
    store.put("shop", release_subject("one"), NOW, point(30.0))
    store.put("shop", release_subject("one"), NOW + 3601, point(20.0))
    assert store.write(HERE)
    points = store.read("shop", release_subject("one"), Level.FINE, NOW, NOW + 7200)
    assert [(at, it.served) for at, it in points] == [(NOW, 1), (NOW + 3600, 2)]


def test_the_next_agent_reads_what_the_one_before_wrote_and_from_which_place(tmp_path: Path) -> None:
    first = SqliteMetrics(tmp_path / "metrics.db")
    assert first.place() is None
    first.put("shop", release_subject("one"), NOW, point(10.0, memory=5e7))
    assert first.write(HERE)
    first.put("shop", release_subject("one"), NOW, point(10.0))
    second = SqliteMetrics(tmp_path / "metrics.db")
    assert second.place() == HERE
    [(_, kept)] = second.read("shop", release_subject("one"), Level.HOUR, NOW, NOW + 3600)
    assert (kept.served, kept.gauges[MEMORY].last) == (1, 5e7)
    assert second.subjects("shop") == [release_subject("one")]


def test_a_damaged_file_is_kept_aside_and_figures_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    path.write_bytes(b"no database at all" * 100)
    store = SqliteMetrics(path)
    store.put("shop", "database", NOW, point(1.0))
    assert store.write(HERE)
    assert (tmp_path / "metrics.db.damaged").read_bytes().startswith(b"no database")


def test_each_level_is_kept_for_its_time_and_monitors_have_no_fine_points(store: SqliteMetrics) -> None:
    for age_s in (0, 47 * 3600, 49 * 3600, 29 * 86_400, 31 * 86_400, 399 * 86_400, 401 * 86_400):
        store.put("shop", release_subject("one"), NOW - age_s, point(10.0))
        store.put("shop", monitor_subject("front"), NOW - age_s, point(10.0))
    assert store.write(HERE)
    store.prune(NOW)
    counts = [len(store.read("shop", release_subject("one"), level, 0, NOW + 60)) for level in Level]
    assert counts == [2, 4, 6]
    assert [len(store.read("shop", monitor_subject("front"), level, 0, NOW + 60)) for level in Level] == [0, 2, 6]


def test_subjects_without_points_are_forgotten(store: SqliteMetrics) -> None:
    store.put("shop", release_subject("old"), NOW - 500 * 86_400, point(10.0))
    store.put("shop", release_subject("new"), NOW, point(10.0))
    assert store.write(HERE)
    store.prune(NOW)
    assert store.subjects("shop") == [release_subject("new")]
    store.put("shop", release_subject("old"), NOW, point(10.0))
    assert store.write(HERE)
    assert store.counts("shop", release_subject("old"), Level.HOUR, NOW - 3600, NOW + 60) == (1, 0)


def test_the_file_stays_below_its_bytes_and_the_oldest_fine_points_go_first(tmp_path: Path) -> None:
    store = SqliteMetrics(tmp_path / "metrics.db", most_bytes=1_000_000)
    source = random.Random(3)
    for place in range(6_000):
        times = [source.lognormvariate(3, 1) for _ in range(40)]
        store.put("shop", release_subject("one"), NOW - 60_000 + 10 * place, point(*times))
    assert store.write(HERE)
    assert store.size_bytes() > 1_000_000
    store.prune(NOW)
    assert store.size_bytes() <= 1_000_000
    fine = store.read("shop", release_subject("one"), Level.FINE, 0, NOW + 60)
    assert fine
    assert fine[-1][0] == NOW - 10
    assert fine[0][0] > NOW - 60_000
    assert store.counts("shop", release_subject("one"), Level.HOUR, 0, NOW + 60) == (240_000, 0)


def test_curves_of_the_whole_and_of_each_release_on_one_axis(store: SqliteMetrics) -> None:
    for second in range(0, 3600, 10):
        release, took_ms = ("one", 10.0) if second < 1800 else ("two", 100.0)
        made = point(took_ms, took_ms, failed=1, memory=1e8)
        made.gauge(CPU).add(0.5)
        store.put("shop", release_subject(release), NOW + second, made)
    found = figures(store, "shop", NOW, NOW + 3600, [Mark(at=NOW + 1800, release="two"), Mark(at=1.0, release="old")])
    assert [curve.release for curve in found.releases] == ["one", "two"]
    assert len(found.at) == len(found.whole.served) == len(found.whole.p95_ms) == 180
    assert [mark.release for mark in found.marks] == ["two"]
    assert (found.whole.sum.served, found.whole.sum.failed) == (720, 360)
    one, two = found.releases
    assert abs((one.p95_ms[0] or 0) - 10) < 0.2
    assert one.p95_ms[-1] is None
    assert abs((two.p95_ms[-1] or 0) - 100) < 2
    assert (two.memory_bytes[-1], two.cpu_cores[-1]) == (1e8, 0.5)
    assert sum(found.whole.served) == sum(one.served) + sum(two.served)
    assert abs(found.whole.sum.p50_ms - 10) < 0.2


def test_memory_of_two_releases_at_once_is_added_and_over_time_averaged(store: SqliteMetrics) -> None:
    for second in range(0, 60, 10):
        store.put("shop", release_subject("one"), NOW + second, point(memory=1e8))
        store.put("shop", release_subject("two"), NOW + second, point(memory=3e8))
    found = figures(store, "shop", NOW, NOW + 60, steps=1)
    assert found.whole.memory_bytes == (4e8,)
    assert [curve.memory_bytes for curve in found.releases] == [(1e8,), (3e8,)]
