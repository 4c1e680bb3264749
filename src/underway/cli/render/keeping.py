"""Monitors, alerts and error budgets as a person reads them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import ago, clock, percent
from underway.terms.alert import Alert, AlertStanding, Severity
from underway.terms.health import AppHealth, Health
from underway.terms.monitor import MonitorState, MonitorStatus
from underway.terms.objective import Budget
from underway.terms.spending import SpendingView

_STATES = {MonitorState.UP: "green", MonitorState.DOWN: "red", MonitorState.WAITING: "dim"}
_SEVERITIES = {Severity.CRITICAL: "red", Severity.WARNING: "amber", Severity.NOTE: "dim"}
_DAY_S = 86_400.0


_WELL = {Health.WELL: ("well", "green"), Health.WARN: ("look here", "amber"), Health.FAIL: ("not well", "red")}


def show_health(found: Mapping[str, AppHealth], terminal: Terminal) -> None:
    t = terminal
    if not found:
        t.line("There is no app.")
    for app, it in found.items():
        word, colour = _WELL[it.status]
        t.line(f"{t.paint(app, 'bold')}  {t.paint(word, colour)}  {it.release_id or clean(it.output)}  {it.version}")
        wide = max((len(name) for name in it.checks), default=0)
        for name, components in it.checks.items():
            for one in components:
                word, colour = _WELL[one.status]
                value = f"{one.observed_value:g} {one.observed_unit}" if one.observed_value is not None else ""
                t.line(f"    {name:<{wide}}  {t.paint(f'{word:<9}', colour)}  {value:>18}  {clean(one.output)}")


def show_monitors(found: Sequence[MonitorStatus], terminal: Terminal) -> None:
    t = terminal
    if not found:
        t.line("Nothing is asked: no app is live.")
    wide = max((len(f"{it.app} {it.name}") for it in found), default=0)
    for it in found:
        state = t.paint(f"{it.state.value:<11}", _STATES.get(it.state, "amber"))
        up = f"{percent(it.uptime_day)} of a day" if it.uptime_day is not None else "no day yet"
        took = f"{it.took_ms:.0f} ms" if it.last_at and it.took_ms else ""
        t.line(f"{f'{it.app} {it.name}':<{wide}}  {state}  {it.kind.value:<8}  {took:>7}  {up}  {clean(it.target)}")
        if it.says:
            since = f" (since {ago(it.since)})" if it.state is MonitorState.DOWN else ""
            t.line(f"    {t.mark('warning')} {clean(it.says)}{since}")
        if it.certificate_until:
            t.line(
                t.paint(f"    its certificate ends in {(it.certificate_until - time.time()) / _DAY_S:.0f} days", "dim")
            )
        if it.ping_path:
            t.line(t.paint(f'    its schedule tells: underway monitors ping {it.app} "{it.name}"', "dim"))
        if it.ping_url:
            t.line(t.paint(f"    from elsewhere: curl -fsS -m 10 --retry 3 {it.ping_url}", "dim"))


def show_alerts(found: Sequence[Alert], terminal: Terminal) -> None:
    t = terminal
    if not found:
        t.line("No alert.")
    for it in found:
        severity = t.paint(it.severity.value, _SEVERITIES[it.severity])
        t.line(f"{severity}  {t.paint(it.app, 'bold')}  {clean(it.problem.why)}")
        touched = f", {it.users_touched:,} users touched" if it.users_touched else ""
        release = f", release {it.release}" if it.release else ""
        t.line(f"    since {clock(it.since)} ({ago(it.since)}){touched}{release}")
        if it.standing is AlertStanding.CLEARED:
            t.line(f"    over since {clock(it.cleared_at)}: {clean(it.because)}")
        else:
            t.line(f"    {clean(it.problem.remedy)}")
            if it.step:
                t.line(f"    runbook: {clean(it.step)}")
            if it.runbook:
                t.line(f"    read on: {clean(it.runbook)}")
            if it.problem.command:
                t.line(f"    {t.paint(clean(it.problem.command), 'bold')}")
        if it.standing is AlertStanding.ACKNOWLEDGED:
            t.line(f"    {clean(it.by)} looks after it")
        if it.standing is AlertStanding.SILENCED:
            t.line(f"    silenced by {clean(it.by)} until {clock(it.until)}")
        for telling in it.told:
            how = f"could not be told: {clean(telling.problem)}" if telling.problem else f"told ({telling.what})"
            t.line(t.paint(f"    {clock(telling.at)}  {clean(telling.channel)} {how}", "dim"))
        t.line(t.paint(f'    key "{clean(it.key)}"', "dim"))


def show_budgets(found: Sequence[Budget], terminal: Terminal) -> None:
    t = terminal
    if not found:
        t.line("Nothing was promised: no app is live.")
    for it in found:
        what = f"{it.route or 'all requests'}, {100 * it.objective:g} % "
        what += f"within {it.limit_ms:g} ms" if it.limit_ms else "do not fail"
        colour = "dim" if it.spent is None else "red" if it.spent >= 1 else "amber" if it.spent >= 0.5 else "green"
        left = "" if it.spent is None else f"{100 * max(0.0, 1 - it.spent):.0f} % left"
        t.line(
            f"{t.paint(it.app, 'bold')}  {it.name}  {t.paint(left, colour)}  {what} in {it.window_s / _DAY_S:g} days"
        )
        t.line(f"    {it.says}")
        for burn in it.burns:
            if burn.is_firing:
                t.line(f"    {t.mark('warning')} burns {burn.long_rate:.1f}× too fast over {burn.long_s / 3600:g} h")


def show_spending(found: Sequence[SpendingView], terminal: Terminal) -> None:
    t = terminal
    if not any(it.budgets or it.warm for it in found):
        t.line("No app has a [budget], and nothing is kept warm.")
    for view in found:
        wide = max((len(it.name) for it in view.budgets), default=0)
        for it in view.budgets:
            colour = "red" if it.share >= 1 else "amber" if it.share >= 0.8 else "green"
            name = t.paint(f"{clean(it.name):<{wide}}", colour)
            t.line(f"{t.paint(view.app, 'bold')}  {name}  {clean(it.says)}")
        for one in view.warm:
            asked = f"asked {ago(one.last_at)}" if one.last_at else "not asked yet"
            t.line(f"{t.paint(view.app, 'bold')}  {clean(one.name)}: {one.says}; {asked}  {clean(one.target)}")
            failed = f", {one.failed:,} failed" if one.failed else ""
            cold = f"; {one.cold:,} cold starts" if one.cold else ""
            if one.cold_p50_ms:
                cold += f", p50 {one.cold_p50_ms:,.0f} ms, p95 {one.cold_p95_ms:,.0f} ms"
            warm = f"; p50 of all {one.warm_p50_ms:,.0f} ms" if one.warm_p50_ms else ""
            t.line(t.paint(f"    {one.pings:,} pings in 30 days{failed}{cold}{warm}", "dim"))
