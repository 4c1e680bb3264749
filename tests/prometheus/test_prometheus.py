"""What is made for Prometheus and Grafana, judged by Prometheus' own tools and by the schemas of both."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from underway.observe.counting import Kind
from underway.observe.meter import MOST_RELEASES, MOST_ROUTES, OTHER, Meter, Promise
from underway.prometheus.dashboard import dashboard
from underway.prometheus.exposition import expose
from underway.prometheus.readings import AppReading, Readings, ReleaseReading
from underway.prometheus.rules import duration, rules
from underway.prometheus.scrape import scrape
from underway.slo.budget import Objective, budget
from underway.spending.budget import Used, spending
from underway.terms.monitor import MonitorKind, MonitorState, MonitorStatus
from underway.terms.objective import Budget
from underway.terms.route import Request

CONTRACTS = Path(__file__).resolve().parents[3] / "shared" / "contracts"
DAY_S = 86_400.0


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on PATH (apt-get install prometheus)")
    return found


def contract(name: str) -> Any:
    path = CONTRACTS / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return json.loads(path.read_text())


def promised(name: str, objective: float = 0.995, days: float = 30.0, **more: Any) -> Budget:
    it = Objective(name=name, kind="availability", objective=objective, window_s=days * DAY_S, **more)
    return budget("shop", it, lambda _: (990, 10))


PAGES = promised("pages")
ALL = (PAGES, promised("check out “now”", 0.999, 7.0, least=3), promised('odd "\\ {{name}}', 0.99, 1.0))


def request(path: str, took_ms: float = 12.0, release: str = "R1", at: float = 0.0) -> Request:
    return Request(
        at=at,
        app="shop",
        release=release,
        slot="a",
        method="GET",
        path=path,
        status=200,
        took_ms=took_ms,
        upstream_ms=took_ms,
        upstream="",
        retries=0,
        client="",
        is_monitor=False,
    )


def metered() -> Meter:
    meter = Meter(
        lambda method, path: f"{method} {path}",
        lambda app: (Promise("pages", None, 0.0), Promise("quick", lambda _, path: path == "/api", 100.0)),
    )
    for took_ms, kind in ((3.0, Kind.GOOD), (80.0, Kind.GOOD), (400.0, Kind.GOOD), (90.0, Kind.FAILED)):
        meter.heard(request("/api", took_ms), kind)
    meter.heard(request("/", 20_000.0), Kind.GOOD)
    meter.heard(request("/live", 3_600_000.0), Kind.STREAM)
    meter.heard(request("/api"), Kind.GONE)
    meter.heard(request("/api"), Kind.LEFT_OUT)
    return meter


def readings() -> Readings:
    meter = metered()
    monitor = MonitorStatus(
        app="shop", name="front \"page\"\n", kind=MonitorKind.HTTP, target="", state=MonitorState.DOWN, since=0.0,
        took_ms=4.0, certificate_until=1.9e9,
    )  # fmt: skip
    waiting = msgspec.structs.replace(monitor, name="new", state=MonitorState.WAITING)
    app = AppReading(
        app="shop",
        is_well=True,
        releases=[ReleaseReading("R1", True, 5e7, 0.25, 1.0), ReleaseReading("R0", False, None, None, None)],
        routes=[(release, route, count) for _, release, route, count in meter.routes()],
        objectives=[(PAGES, meter.counted("shop", "pages"))],
        monitors=[monitor, waiting],
        alerts=[("critical", 2)],
        budgets=[spending("shop", Used("hours", "h", 75, 100, 7, 7 * DAY_S), 0.0, 31 * DAY_S, 10 * DAY_S)],
        database_bytes=1e9,
        connections=None,
    )
    return Readings("1.0", 1e9, 5e10, 1e11, [app, app._replace(app="other", routes=[], objectives=[], is_well=None)])


def test_what_is_counted_only_grows_and_follows_the_objectives() -> None:
    meter = metered()
    assert meter.counted("shop", "pages")[2:] == (6, 1)
    assert meter.counted("shop", "quick")[2:] == (4, 1), "a failure in time is the other objective's matter"
    assert meter.counted("shop", "unheard")[2:] == (0, 0)
    for number in range(3 * MOST_ROUTES):
        meter.heard(request(f"/{number}"), Kind.GOOD)
    for number in range(MOST_RELEASES + 3):
        meter.heard(request("/", release=f"R2{number}"), Kind.GOOD)
    found = list(meter.routes())
    assert len({release for _, release, _, _ in found}) == MOST_RELEASES
    meter = metered()
    for number in range(3 * MOST_ROUTES):
        meter.heard(request(f"/{number}"), Kind.GOOD)
    routes = {route: count for _, _, route, count in meter.routes()}
    assert len(routes) == MOST_ROUTES + 1
    assert sum(count.good for count in routes.values()) == 5 + 3 * MOST_ROUTES
    assert routes[OTHER].good > MOST_ROUTES


def test_openmetrics_is_read_back_as_it_was_meant() -> None:
    exposed = expose(readings(), "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert exposed.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = exposed.text.decode()
    assert text.endswith("# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    found = [it for family in families.values() for it in family.samples]
    samples = {(it.name, frozenset(it.labels.items())): it.value for it in found}

    def value(name: str, **labels: str) -> float | None:
        return samples.get((f"underway_{name}", frozenset(labels.items())))

    api = {"app": "shop", "release": "R1", "route": "GET /api"}
    assert [value("http_requests_total", **api, outcome=it) for it in ("good", "failed", "gone")] == [3, 1, 1]
    times = "http_request_duration_seconds"
    buckets = [value(f"{times}_bucket", **api, le=edge) for edge in ("0.005", "0.1", "1.0", "+Inf")]
    assert (buckets, value(f"{times}_sum", **api)) == ([1, 3, 4, 4], pytest.approx(0.573))
    slow = {**api, "route": "GET /"}
    assert [value(f"{times}_bucket", **slow, le=edge) for edge in ("10.0", "+Inf")] == [0, 1]
    assert value("slo_bad_requests_total", app="shop", slo="pages") == 1
    assert value("monitor_up", app="shop", monitor='front "page"\n', kind="http") == 0
    assert value("monitor_up", app="shop", monitor="new", kind="http") is None, "nothing is known of it yet"
    assert value("budget_used_ratio", app="shop", budget="hours") == 0.75
    assert value("app_up", app="other") is None, "it is down by order"
    assert value("database_connections", app="shop") is None


def test_promtool_has_nothing_against_the_metrics(promtool: str) -> None:
    exposed = expose(readings(), "text/plain;version=0.0.4")
    assert exposed.content_type == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run([promtool, "check", "metrics"], input=exposed.text, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.decode(), done.stdout.decode()) == (0, "", "")


def test_the_rules_and_the_scrape_are_what_prometheus_takes(promtool: str, tmp_path: Path) -> None:
    made = rules(ALL)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(made))
    done = subprocess.run([promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    count = sum(len(group["rules"]) for group in made["groups"])
    assert f"SUCCESS: {count} rules found" in done.stdout.decode()
    (tmp_path / "token").write_text("secret")
    settings = {**scrape("http://127.0.0.1:7001", str(tmp_path / "token")), "rule_files": ["rules.yml"]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    done = subprocess.run([promtool, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    jsonschema.Draft7Validator(contract("prometheus/prometheus.schema.json")).validate(settings)


def test_the_rules_follow_their_schema() -> None:
    jsonschema.Draft7Validator(contract("prometheus/prometheus.rules.schema.json")).validate(rules(ALL))


def test_the_dashboard_follows_its_schema_and_asks_for_what_there_is() -> None:
    made = dashboard(ALL)
    schema = contract("grafana/dashboard.jsonschema.json")
    kind = jsonschema.validators.validator_for(schema)
    kind(schema).validate(made)
    text = json.dumps(made)
    exposed = expose(readings(), "").text.decode()
    there = {family.name for family in text_string_to_metric_families(exposed)}
    recorded = {rule["record"] for group in rules(ALL)["groups"] for rule in group["rules"] if "record" in rule}
    asked = {word for panel in made["panels"] for target in panel["targets"] for word in _names(target["expr"])}
    known = there | {f"{name}_total" for name in there} | {f"{name}_bucket" for name in there} | recorded
    assert asked <= known, asked - known
    assert len(asked) > 10
    assert "underway_release_live" in text


def _names(expr: str) -> list[str]:
    import re

    return re.findall(r"\bunderway[a-z0-9_:]*", expr)


def series(bad_of_100: list[tuple[int, int]]) -> tuple[str, str]:
    """Requests and bad ones a minute, 100 of them: (minutes, bad) one after the other, as promtool writes them."""
    bad, parts, total = 0, [], 0
    for minutes, each in bad_of_100:
        parts.append(f"{bad}+{each}x{minutes}")
        bad += each * (minutes + 1)
        total += minutes + 1
    return f"0+100x{total}", " ".join(parts)


def test_promtool_sees_the_alert_where_the_budget_burns_and_none_where_it_does_not(
    promtool: str, tmp_path: Path
) -> None:
    """99.5 % over 30 days: 8 % bad is 16 times too fast, 3.5 % 7 times, 0.4 % not too fast at all."""
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules([PAGES])))
    labels = '{app="shop",slo="pages"}'

    def case(name: str, bad_of_100: list[tuple[int, int]], at: str, fires: list[tuple[str, str]]) -> dict[str, Any]:
        requests, bad = series(bad_of_100)
        return {
            "name": name,
            "interval": "1m",
            "input_series": [
                {"series": f"underway_slo_requests_total{labels}", "values": requests},
                {"series": f"underway_slo_bad_requests_total{labels}", "values": bad},
            ],
            "alert_rule_test": [
                {
                    "eval_time": at,
                    "alertname": "UnderwayErrorBudgetBurns",
                    "exp_alerts": [
                        {
                            "exp_labels": {
                                "app": "shop", "slo": "pages", "severity": severity, "window": window,
                            },
                            "exp_annotations": annotations(severity, window, bad_of_100),
                        }
                        for severity, window in fires
                    ],
                }
            ],
        }  # fmt: skip

    def annotations(severity: str, window: str, bad_of_100: list[tuple[int, int]]) -> dict[str, str]:
        limit = {"1h": "14.4", "6h": "6", "3d": "1"}[window]
        share = bad_of_100[-1][1]
        return {
            "summary": f"The error budget pages of shop burns {limit} times too fast",
            "description": f"{share}% of the requests in {window} were not good; 99.5 % were promised to be.",
            "command": "underway slo shop",
        }

    tests = [
        case("an hour of 8 %", [(120, 8)], "90m", [("critical", "1h"), ("critical", "6h"), ("warning", "3d")]),
        case("not bad enough for anybody", [(600, 0)], "9h", []),
        case("a burst of three minutes", [(300, 0), (2, 8), (60, 0)], "305m", []),
        case("over: the short window is well again", [(120, 8), (400, 0)], "510m", []),
    ]
    quiet = case("two requests, one of them bad", [], "90m", [])
    quiet["input_series"][0]["values"], quiet["input_series"][1]["values"] = "0 1 2 2x120", "0 0 1 1x120"
    agent = {
        "interval": "1m",
        "input_series": [{"series": 'up{job="underway",instance="it"}', "values": "1x5 0x10"}],
        "alert_rule_test": [
            {"eval_time": "5m", "alertname": "UnderwayAgentDown", "exp_alerts": []},
            {
                "eval_time": "9m",
                "alertname": "UnderwayAgentDown",
                "exp_alerts": [
                    {
                        "exp_labels": {"job": "underway", "instance": "it", "severity": "critical"},
                        "exp_annotations": {
                            "summary": "The agent on it does not answer",
                            "description": "Apps go on without it, and nobody else watches them.",
                            "command": "underway agent status",
                        },
                    }
                ],
            },
        ],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [*tests, quiet, agent]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document, width=10_000))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_durations_are_written_as_prometheus_does() -> None:
    assert [duration(each) for each in (60, 70, 300, 3600, 5400, 86_400, 3 * 86_400, 604_800, 1.4)] == [
        "1m", "1m10s", "5m", "1h", "1h30m", "1d", "3d", "1w", "1s",
    ]  # fmt: skip
