"""A Grafana dashboard of the agent's metrics: apps chosen by a variable, releases marked on every chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from underway.prometheus.rules import RATIO, duration
from underway.slo.budget import burn_windows
from underway.terms.objective import Budget

UID = "underway"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_APP = '{app=~"$app"}'
_WIDTH, _HEIGHT = 12, 8


def dashboard(promised: Iterable[Budget]) -> dict[str, Any]:
    """For the classic schema of Grafana 9 and later (`schemaVersion` 39)."""
    panels = [*_traffic(), *_objectives(list(promised)), *_machines()]
    for number, panel in enumerate(panels):
        panel["id"] = number + 1
        panel["gridPos"] = {"h": _HEIGHT, "w": _WIDTH, "x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT}
    return {
        "uid": UID,
        "title": "Underway",
        "tags": ["underway"],
        "timezone": "browser",
        "editable": True,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(), _apps()]},
        "annotations": {"list": [_releases()]},
        "panels": panels,
    }


def _traffic() -> list[dict[str, Any]]:
    requests = f"underway_http_requests_total{_APP}"
    failed = 'underway_http_requests_total{app=~"$app",outcome="failed"}'
    answered = 'underway_http_requests_total{app=~"$app",outcome!="gone"}'
    times = f"underway_http_request_duration_seconds_bucket{_APP}"
    by = "app, release"
    share = f"sum by ({by}) (rate({failed}[$__rate_interval])) / sum by ({by}) (rate({answered}[$__rate_interval]))"
    rates = f"sum by ({by}) (rate({requests}[$__rate_interval]))"
    slow = "topk(10, histogram_quantile(0.95, sum by (app, route, le) "
    return [
        _chart("Requests a second", rates, "{{app}} {{release}}", "reqps"),
        _chart("Failed requests", share, "{{app}} {{release}}", "percentunit"),
        _chart(
            "95 of 100 answered within",
            f"histogram_quantile(0.95, sum by ({by}, le) (rate({times}[$__rate_interval])))",
            "{{app}} {{release}}",
            "s",
        ),
        _chart("Slowest routes, p95", f"{slow}(rate({times}[$__rate_interval]))))", "{{app}} {{route}}", "s"),
    ]


def _objectives(promised: Sequence[Budget]) -> list[dict[str, Any]]:
    longest = sorted({burn_windows(it.window_s)[0][0] for it in promised}) or [3600.0]
    burns = [
        (f"{RATIO}{duration(window)}{_APP} / on (app, slo) (1 - underway_slo_objective_ratio)", "{{app}} {{slo}}")
        for window in longest
    ]
    return [
        _chart("Error budget spent", f"underway_slo_budget_spent_ratio{_APP}", "{{app}} {{slo}}", "percentunit"),
        _panel("How fast the error budget burns (14.4 wakes somebody)", burns, "none"),
    ]


def _machines() -> list[dict[str, Any]]:
    free = "underway_disk_free_bytes / underway_disk_size_bytes"
    return [
        _chart("Memory", f"underway_release_memory_bytes{_APP}", "{{app}} {{release}}", "bytes"),
        _chart("Processors busy", f"underway_release_cpu_cores{_APP}", "{{app}} {{release}}", "none"),
        _chart("Monitors", f"underway_monitor_up{_APP}", "{{app}} {{monitor}}", "none"),
        _chart("Budgets of the month", f"underway_budget_used_ratio{_APP}", "{{app}} {{budget}}", "percentunit"),
        _chart("Disk that is free", free, "{{instance}}", "percentunit"),
    ]


def _chart(title: str, expr: str, legend: str, unit: str) -> dict[str, Any]:
    return _panel(title, [(expr, legend)], unit)


def _panel(title: str, exprs: Sequence[tuple[str, str]], unit: str) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(exprs)
        ],
    }


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus", "hide": 0}


def _apps() -> dict[str, Any]:
    query = "label_values(underway_release_live, app)"
    return {
        "name": "app",
        "label": "App",
        "type": "query",
        "datasource": _SOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
    }


def _releases() -> dict[str, Any]:
    return {
        "name": "Releases",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"underway_release_live{_APP} == 1 unless underway_release_live{_APP} offset 1m == 1",
        "titleFormat": "{{app}}",
        "textFormat": "{{release}} is live",
    }
