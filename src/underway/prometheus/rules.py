"""What was promised → recording and alerting rules: multi-window, multi-burn-rate, as the SRE Workbook has them in
chapter 5 (sre.google/workbook/alerting-on-slos), with the windows, limits and least counts of the agent's alerts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from underway.slo.budget import burn_windows
from underway.terms.objective import Budget

JOB = "underway"
RATIO = "underway:slo_errors:ratio_rate"
"""The recorded series, with the window behind it: the share of requests that were not good."""
_UNITS = ((604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def rules(promised: Iterable[Budget]) -> dict[str, Any]:
    """A rule file: a group of each objective, and one of the agent itself."""
    return {"groups": [*(_group(it) for it in promised), _agent()]}


def duration(seconds: float) -> str:
    """As Prometheus writes it: `5m`, `1h`, `1m10s`."""
    left, text = round(seconds), ""
    for size, unit in _UNITS:
        if left >= size:
            text += f"{left // size}{unit}"
            left %= size
    return text or "0s"


def selector(it: Budget) -> str:
    return f'{{app="{_quoted(it.app)}",slo="{_quoted(it.name)}"}}'


def _group(it: Budget) -> dict[str, Any]:
    windows = sorted({window for pair in burn_windows(it.window_s) for window in pair[:2]})
    recorded = [{"record": f"{RATIO}{duration(window)}", "expr": _ratio(it, window)} for window in windows]
    alerts = [_burn(it, *each) for each in burn_windows(it.window_s)]
    return {"name": f"underway {it.app} {it.name}", "interval": "30s", "rules": [*recorded, *alerts]}


def _ratio(it: Budget, window_s: float) -> str:
    bad, of = (
        f"sum by (app, slo) (rate(underway_slo_{name}_total{selector(it)}[{duration(window_s)}]))"
        for name in ("bad_requests", "requests")
    )
    return f"{bad} / {of}"


def _burn(it: Budget, long_s: float, short_s: float, limit: float) -> dict[str, Any]:
    long, short = duration(long_s), duration(short_s)
    most = f"{limit:g} * {1 - it.objective:.6g}"
    where = selector(it)
    return {
        "alert": "UnderwayErrorBudgetBurns",
        "expr": f"{RATIO}{long}{where} > {most} and {RATIO}{short}{where} > {most}"
        f" and sum by (app, slo) (increase(underway_slo_bad_requests_total{where}[{long}])) >= {it.least}",
        "labels": {"severity": "critical" if limit > 1 else "warning", "window": long},
        "annotations": {
            "summary": f"The error budget {_braced(it.name)} of {it.app} burns {limit:g} times too fast",
            "description": f"{{{{ $value | humanizePercentage }}}} of the requests in {long} were not good; "
            f"{100 * it.objective:g} % were promised to be.",
            "command": f"underway slo {it.app}",
        },
    }


def _agent() -> dict[str, Any]:
    return {
        "name": "underway agent",
        "rules": [
            {
                "alert": "UnderwayAgentDown",
                "expr": f'up{{job="{JOB}"}} == 0',
                "for": "1m",
                "labels": {"severity": "critical"},
                "annotations": {
                    "summary": "The agent on {{ $labels.instance }} does not answer",
                    "description": "Apps go on without it, and nobody else watches them.",
                    "command": "underway agent status",
                },
            },
            {
                "alert": "UnderwayAppDown",
                "expr": "underway_app_up == 0",
                "for": "1m",
                "labels": {"severity": "critical"},
                "annotations": {
                    "summary": "{{ $labels.app }} is not well",
                    "description": "It does not answer visitors, or what it needs is away.",
                    "command": "underway health {{ $labels.app }}",
                },
            },
        ],
    }


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _braced(text: str) -> str:
    """Text that Prometheus' templates leave as it is."""
    return text.replace("{{", "{ {")
