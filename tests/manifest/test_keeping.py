"""Monitors, objectives and alerts as a manifest says them."""

from __future__ import annotations

import pytest

from underway.manifest.read import read_manifest
from underway.terms.problem import Refusal

WHOLE = """
app = "shop"
[processes]
web = "true"
[[monitor]]
name = "front page"
target = "https://shop.example.com/"
interval = "10s"
expect = {text = ["Welcome"]}
windows = ["Sun 03:00-05:00"]
[[monitor]]
name = "nightly"
kind = "ping"
interval = "1d"
grace = "10m"
[[slo]]
name = "api"
objective = "99.9%"
latency = "300ms"
route = "GET /api/*"
[alerts]
quiet = ["Mon-Sun 22:00-24:00"]
timezone = "Europe/Berlin"
[[alerts.channels]]
name = "team"
url = "${ALERT_URL}"
key = "${ALERT_KEY}"
[[alerts.channels]]
name = "pager"
kind = "pagerduty"
key = "${PAGERDUTY_KEY}"
severity = "critical"
after = "15m"
"""


def test_everything_is_read() -> None:
    manifest = read_manifest(WHOLE)
    front, nightly = manifest.monitors
    assert (front.interval_s, front.kind, front.expect.text, nightly.grace_s) == (10.0, "http", ("Welcome",), 600.0)
    [api] = manifest.objectives
    assert (api.objective, api.latency_ms, api.route) == (0.999, 300.0, "GET /api/*")
    team, pager = manifest.alerts.channels
    assert (team.kind, team.severity, pager.url, pager.after_s) == (
        "webhook",
        "warning",
        "https://events.pagerduty.com",
        900.0,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('key = "s3cret-in-the-file"', "it is not the name of a variable"),
        ('url = "no address"', "it is no address"),
        ('kind = "pigeon"', "none of its words"),
    ],
)
def test_what_is_wrong_of_a_channel_is_told(line: str, said: str) -> None:
    head = 'app = "shop"\n[processes]\nweb = "true"\n[[alerts.channels]]\nname = "team"\n'
    with pytest.raises(Refusal) as refusal:
        read_manifest(head + line)
    assert said in str(refusal.value)


def test_a_route_that_is_none_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        read_manifest('app = "shop"\n[[slo]]\nname = "api"\nroute = "api"')
    assert "it is no route" in str(refusal.value)
