"""What is wrong with an app at this moment: figures, monitors and instances become conditions."""

from __future__ import annotations

from collections.abc import Sequence

from underway.alerts.conditions import Condition
from underway.flows.budgets import budgets
from underway.flows.keeping_rules import OWN_MONITOR, keeping_rules
from underway.guard.memory import slope
from underway.guard.words import percent, span
from underway.journal.state import AppState
from underway.ports.drivers import Drivers
from underway.ports.metrics import Metrics
from underway.slo.budget import is_spent
from underway.terms.alert import Severity
from underway.terms.metrics import MEMORY, Level, Point, release_subject
from underway.terms.monitor import MonitorKind, MonitorState, MonitorStatus
from underway.terms.problem import Problem
from underway.terms.process import InstanceState

BURST_S, BURST_LEAST, BURST_RATE = 60.0, 10, 0.05
"""An error burst: so many failures in the last minute, and so large a share of its requests."""
SLOW_LEAST, SLOW_TIMES, SLOW_BY_MS = 50, 3.0, 200.0
"""Slow: the p95 of the last minute is so many times that of the hour before, and by so much, over so many requests."""
LEAK_S, LEAK_LEAST_BYTES, LEAK_LEAST = 1800.0, 32 << 20, 0.2
"""A leak: memory surely grew all through the last half hour, by at least so much, and runs out within a day."""
DISK_WARN, DISK_CRITICAL = 0.10, 0.03
DISK_ENOUGH_BYTES = 20 << 30
"""So much room is enough on any disk."""
_DAY_S = 86_400.0
KEYS = ("monitor ", "certificate ", "process ", "budget ", "errors", "latency", "memory", "disk", "offline")
"""How the keys of these conditions begin; alerts of other keys are raised and cleared by who found them."""


def wrongs(state: AppState, monitors: Sequence[MonitorStatus], on: Drivers, now: float) -> list[Condition]:
    """Everything that is wrong with a live app. Quick: no network, no process."""
    if keeping_rules(state) is None or not state.live:
        return []
    return [
        *_monitors(state, monitors, now),
        *_processes(state, on),
        *_errors(state, on.metrics, now),
        *_slow(state, on.metrics, now),
        *_leak(state, on, now),
        *_disk(state, on),
        *_budgets(state, on.metrics, now),
    ]


def _monitors(state: AppState, monitors: Sequence[MonitorStatus], now: float) -> list[Condition]:
    rules = keeping_rules(state)
    keys_of = {keys.name: keys for keys in rules.monitors} if rules else {}
    out: list[Condition] = []
    for it in monitors:
        keys = keys_of.get(it.name)
        if it.state is MonitorState.DOWN:
            severity = Severity(keys.severity) if keys else Severity.CRITICAL
            out.append(Condition(f"monitor {it.name}", _down(state.app, it), severity, clear_s=0.0, since=it.since))
        days = keys.certificate_days if keys else 14
        left_s = it.certificate_until - now
        if it.certificate_until and left_s < days * _DAY_S:
            severity = Severity.CRITICAL if left_s < 3 * _DAY_S else Severity.WARNING
            out.append(Condition(f"certificate {it.name}", _certificate(state.app, it, left_s), severity, clear_s=0.0))
    offline = [it.name for it in monitors if it.state is MonitorState.OFFLINE]
    if offline:
        out.append(Condition("offline", _offline(state.app, offline), Severity.NOTE, for_s=30.0))
    return out


def _processes(state: AppState, on: Drivers) -> list[Condition]:
    out: list[Condition] = []
    for it in on.runtime.instances(state.app):
        if it.spec.release != state.live:
            continue
        name = f"{it.spec.process} {it.spec.number + 1}"
        if it.state is InstanceState.CRASH_LOOP:
            problem = _process("process.crash-loop", state.app, name, it.exit_code, "keeps ending")
            out.append(Condition(f"process {name}", problem, Severity.CRITICAL))
        elif it.restarts and on.clock.now() - it.started_at < 30.0:
            problem = _process("process.ended", state.app, name, it.exit_code, "ended by itself and was started again")
            out.append(Condition(f"process {name}", problem, Severity.WARNING))
    return out


def _errors(state: AppState, metrics: Metrics, now: float) -> list[Condition]:
    served = failed = 0
    for subject in _releases(state.app, metrics):
        got = metrics.counts(state.app, subject, Level.FINE, now - BURST_S, now + 60)
        served, failed = served + got[0], failed + got[1]
    if failed < BURST_LEAST or failed < BURST_RATE * (served + failed):
        return []
    return [Condition("errors", _burst(state.app, failed, served + failed), Severity.CRITICAL, clear_s=BURST_S)]


def _slow(state: AppState, metrics: Metrics, now: float) -> list[Condition]:
    recent, usual = Point(), Point()
    for subject in _releases(state.app, metrics):
        for _, point in metrics.read(state.app, subject, Level.FINE, now - 60, now + 60):
            recent.merge(point)
        for _, point in metrics.read(state.app, subject, Level.MINUTE, now - 3720, now - 120):
            usual.merge(point)
    if recent.took.count < SLOW_LEAST or usual.took.count < SLOW_LEAST:
        return []
    is_ms, was_ms = recent.took.quantile_ms(0.95), usual.took.quantile_ms(0.95)
    if is_ms < SLOW_TIMES * was_ms or is_ms - was_ms < SLOW_BY_MS:
        return []
    return [Condition("latency", _slower(state.app, is_ms, was_ms), Severity.WARNING, for_s=30.0, clear_s=120.0)]


def _leak(state: AppState, on: Drivers, now: float) -> list[Condition]:
    points = on.metrics.read(state.app, release_subject(state.live), Level.FINE, now - LEAK_S, now + 60)
    found = [(at, point.gauges[MEMORY].mean) for at, point in points if MEMORY in point.gauges]
    found = found[len(found) % 2 :: max(1, len(found) // 60)]
    first, last = (found[0][1], found[-1][1]) if found else (0.0, 0.0)
    if last - first < max(LEAK_LEAST_BYTES, LEAK_LEAST * first):
        return []
    whole, half, quarter = (slope(found[len(found) * part // 4 :]) for part in (0, 2, 3))
    rates = [each.low for each in (whole, half, quarter) if each is not None]
    if whole is None or half is None or min(rates) <= 0:
        return []
    web = keeping_rules(state)
    process = web.manifest.processes.get("web") if web else None
    limit = (process.memory_bytes * process.instances if process else 0) or on.machine.memory_bytes()
    left_s = max(0.0, limit - last) / half.median
    if left_s > _DAY_S:
        return []
    problem = _leaking(state.app, state.live, first, last, found[-1][0] - found[0][0], left_s)
    return [Condition("memory", problem, Severity.WARNING, clear_s=120.0)]


def _disk(state: AppState, on: Drivers) -> list[Condition]:
    free, whole = on.machine.disk_free_bytes(), on.machine.disk_bytes()
    severity = disk_severity(free, whole)
    if severity is None:
        return []
    return [Condition("disk", _full(state.app, free, whole, str(on.home.root)), severity, clear_s=60.0)]


def disk_severity(free: int, whole: int) -> Severity | None:
    """How bad it is that so many bytes of a disk are free; None for enough."""
    if free >= min(DISK_WARN * whole, DISK_ENOUGH_BYTES):
        return None
    return Severity.CRITICAL if free < min(DISK_CRITICAL * whole, DISK_ENOUGH_BYTES / 4) else Severity.WARNING


def _budgets(state: AppState, metrics: Metrics, now: float) -> list[Condition]:
    rules = keeping_rules(state)
    least_of = {each.name: each.least for each in rules.objectives} if rules else {}
    out: list[Condition] = []
    for it in budgets(state, metrics, now):
        firing = next((burn for burn in it.burns if burn.is_firing), None)
        if firing is not None:
            severity = Severity.CRITICAL if firing.limit > 1 else Severity.WARNING
            problem = _burning(state.app, it.name, firing.long_rate, firing.long_s, it.says)
            out.append(Condition(f"budget {it.name}", problem, severity, clear_s=firing.short_s))
        elif is_spent(it, least_of.get(it.name, 10)) and not it.is_own:
            problem = _spent(state.app, it.name, it.says)
            out.append(Condition(f"budget {it.name}", problem, Severity.WARNING, clear_s=60.0))
    return out


def _releases(app: str, metrics: Metrics) -> list[str]:
    return [subject for subject in metrics.subjects(app) if subject.startswith(release_subject(""))]


def _down(app: str, it: MonitorStatus) -> Problem:
    """A monitor is down: what it asks does not answer as it should."""
    if it.kind is MonitorKind.PING:
        return Problem(
            code="schedule.missed",
            where=f"{app} {it.name}",
            why=f"the schedule {it.name} of {app} did not tell that it ran: {it.says}",
            remedy="see whether the machine that runs it is up, and what its last run wrote",
            command="underway monitors",
        )
    if it.name == OWN_MONITOR and it.is_own:
        return Problem(
            code="app.down",
            where=f"{app} {it.target}",
            why=f"{app} does not answer visitors: {it.says}",
            remedy="read what its processes wrote; if it began with a release, go back",
            command=f"underway logs {app}",
        )
    return Problem(
        code="monitor.down",
        where=f"{app} {it.name}",
        why=f"{it.name} of {app} is down: {it.says}",
        remedy="see what it asks and since when it fails, then look at that",
        command="underway monitors",
    )


def _certificate(app: str, it: MonitorStatus, left_s: float) -> Problem:
    """A certificate ends soon, and was not renewed."""
    ends = f"ends in {span(left_s)}" if left_s > 0 else f"ended {span(-left_s)} ago"
    return Problem(
        code="certificate.ends",
        where=f"{app} {it.target}",
        why=f"the certificate of {it.target} {ends}",
        remedy="renew it; one that renews itself needs the domain to lead here and port 80 to be open",
        command="underway monitors",
    )


def _offline(app: str, names: Sequence[str]) -> Problem:
    """This machine reaches nothing outside."""
    return Problem(
        code="machine.offline",
        where=app,
        why=f"this machine reaches nothing outside, so {', '.join(names)} cannot be asked (which says nothing of them)",
        remedy="see the machine's network",
        command="underway monitors",
    )


def _process(code: str, app: str, name: str, exit_code: int | None, what: str) -> Problem:
    """A process ended by itself."""
    how = f"killed by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit code {exit_code}"
    return Problem(
        code=code,
        where=f"{app} {name}",
        why=f"{name} of {app} {what} ({how})",
        remedy="read the last lines it wrote",
        command=f"underway logs {app}",
    )


def _burst(app: str, failed: int, of: int) -> Problem:
    """Many requests fail at once."""
    return Problem(
        code="errors.burst",
        where=app,
        why=f"{failed:,} of {of:,} requests of {app} failed in the last minute ({percent(failed / of)})",
        remedy="see which errors came; if they began with a release, go back",
        command=f"underway logs {app}",
    )


def _slower(app: str, is_ms: float, was_ms: float) -> Problem:
    """Answers take much longer than they did."""
    return Problem(
        code="latency.slow",
        where=app,
        why=f"answers of {app} are slow: p95 {is_ms:,.0f} ms in the last minute, {was_ms:,.0f} ms in the hour before",
        remedy="see what is slow: the database, what the app calls, the machine",
        command=f"underway db stats {app}",
    )


def _leaking(app: str, release: str, first: float, last: float, over_s: float, left_s: float) -> Problem:
    """Memory grows without end."""
    return Problem(
        code="memory.leak",
        where=f"{app} {release}",
        why=f"memory of {app} grows steadily: {first / 1e6:,.0f} MB to {last / 1e6:,.0f} MB in {span(over_s)}; "
        f"it runs out in {span(left_s)}",
        remedy="restart it to gain time, and look for what the release keeps",
        command=f"underway status {app}",
    )


def _full(app: str, free: int, whole: int, home: str) -> Problem:
    """The disk of the home is nearly full."""
    return Problem(
        code="disk.nearly-full",
        where=home,
        why=f"the disk that holds {app} has {free / 1e9:,.1f} GB of {whole / 1e9:,.1f} GB left",
        remedy="make room: old backups, logs, or what else is on this disk",
        command=f"du -xh --max-depth=2 {home} | sort -h | tail",
    )


def _burning(app: str, name: str, rate: float, over_s: float, says: str) -> Problem:
    """An error budget burns too fast."""
    return Problem(
        code="slo.burning",
        where=f"{app} {name}",
        why=f"the error budget {name} of {app} burns {rate:,.1f}× too fast over {span(over_s)}: {says}",
        remedy="see what fails; if it began with a release, go back",
        command=f"underway slo {app}",
    )


def _spent(app: str, name: str, says: str) -> Problem:
    """An error budget is gone."""
    return Problem(
        code="slo.spent",
        where=f"{app} {name}",
        why=f"the error budget {name} of {app} is spent: {says}",
        remedy="mend what fails before anything new is released",
        command=f"underway slo {app}",
    )
