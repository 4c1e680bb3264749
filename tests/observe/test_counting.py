"""What counts as failed, and for whom."""

from __future__ import annotations

import time

import pytest

from underway.manifest.failures import Failures
from underway.manifest.read import read_manifest
from underway.observe.counting import Counting, Kind

from .requests import request

CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Kind.GOOD),
        (304, Kind.GOOD),
        (404, Kind.GOOD),
        (429, Kind.GOOD),
        (500, Kind.FAILED),
        (502, Kind.FAILED),
        (504, Kind.FAILED),
        (0, Kind.GONE),
        (499, Kind.GONE),
        (101, Kind.STREAM),
    ],
)
def test_by_default_a_5xx_is_a_failure_and_a_4xx_is_the_clients(status: int, kind: Kind) -> None:
    assert Counting(Failures()).kind(request(status=status)) is kind


def test_the_manifest_names_other_failures_but_no_answer_always_is_one() -> None:
    counting = Counting(Failures(statuses=("429",)))
    found = {status: counting.kind(request(status=status)) for status in (429, 404, 500, 502, 504)}
    assert found == {
        429: Kind.FAILED,
        404: Kind.GOOD,
        500: Kind.GOOD,
        502: Kind.FAILED,
        504: Kind.FAILED,
    }


@pytest.mark.parametrize(
    ("method", "path", "is_left_out"),
    [
        ("GET", "/metrics", True),
        ("POST", "/metrics", True),
        ("GET", "/metrics/more", False),
        ("GET", "/export/2024.csv", True),
        ("POST", "/export/2024.csv", False),
        ("GET", "/a/1/b/2/end", True),
        ("GET", "/a/1/c/2/end", False),
        ("GET", "/a.b", False),
        ("GET", "/up", True),
        ("GET", "/", False),
    ],
)
def test_excluded_routes_and_the_health_path_count_for_nothing(method: str, path: str, is_left_out: bool) -> None:
    counting = Counting(Failures(exclude=("/metrics", "GET /export/*", "/a/*/b/*/end", "/axb")), "/up")
    kind = counting.kind(request(method=method, path=path, status=500))
    assert kind is (Kind.LEFT_OUT if is_left_out else Kind.FAILED)


def test_a_front_page_that_is_also_the_health_path_counts() -> None:
    assert Counting(Failures(), "/").kind(request(status=500)) is Kind.FAILED


@pytest.mark.parametrize(("agent", "is_user"), [(CHROME, True), ("", True), ("uptimerobot/2.0", False), ("x", True)])
def test_monitors_are_known_by_their_name(agent: str, is_user: bool) -> None:
    kind = Counting(Failures()).kind(request(agent=agent, status=500))
    assert kind is (Kind.FAILED if is_user else Kind.LEFT_OUT)


def test_many_stars_and_a_hostile_path_take_no_time() -> None:
    counting = Counting(Failures(exclude=("/*a*a*a*a*a*a*a*a*a*a*b",)))
    began = time.process_time()
    for _ in range(20):
        assert counting.kind(request(path="/" + "a" * 1_990)) is Kind.GOOD
    assert time.process_time() - began < 1


def test_what_a_manifest_may_say() -> None:
    manifest = read_manifest(
        'app = "shop"\n[processes]\nweb = "x"\n[health]\npath = "/up"\n[release.failures]\n'
        'statuses = ["5xx", "429"]\nexclude = ["/metrics", "GET /export/*"]\nmonitors = ["our-checker"]\n'
    )
    counting = Counting.of(manifest)
    assert counting.kind(request(status=429)) is Kind.FAILED
    assert counting.kind(request(path="/up", status=500)) is Kind.LEFT_OUT
    assert counting.kind(request(agent="our-checker/1", status=500)) is Kind.LEFT_OUT
    assert counting.kind(request(agent="UptimeRobot", status=500)) is Kind.FAILED
