"""What is wrong with an app at this moment: figures, monitors and instances become conditions."""

from __future__ import annotations

from collections.abc import Sequence

from underway.alerts.conditions import Condition
from underway.flows import wrong_words as words
from underway.flows.budgets import budgets
from underway.flows.keeping_rules import keeping_rules
from underway.flows.limits import passed_limits
from underway.guard.memory import slope
from underway.journal.app_state import AppState
from underway.manifest.limits import TIMES
from underway.ports.drivers import Drivers
from underway.ports.metrics import Metrics
from underway.slo.budget import is_spent
from underway.terms.alert import Severity
from underway.terms.metrics import MEMORY, Level, Point, release_subject
from underway.terms.monitor import MonitorState, MonitorStatus
from underway.terms.process import InstanceState
from underway.terms.security import SecurityKind

BURST_S, BURST_LEAST, BURST_RATE = 60.0, 10, 0.05
"""An error burst: so many failures in the last minute, and so large a share of its requests."""
SLOW_LEAST, SLOW_TIMES, SLOW_BY_MS = 50, 3.0, 200.0
"""Slow: the p95 of the last minute is so many times that of the hour before, and by so much, over so many requests."""
LEAK_S, LEAK_LEAST_BYTES, LEAK_LEAST = 1800.0, 32 << 20, 0.2
LEAKS = ((LEAK_S, 86_400.0), (600.0, 3_600.0))
"""A leak: memory surely grew all through so many seconds, by at least so much, and runs out within so many: a slow one
needs half an hour, one that is over within the hour ten minutes."""
LEAK_MOST_OF = 0.9
NEARLY_FULL = 0.9
"""So much of the manifest's memory limit, all through a minute."""
DISK_WARN, DISK_CRITICAL = 0.10, 0.03
DISK_ENOUGH_BYTES = 20 << 30
"""So much room is enough on any disk."""
SECURITY_S = 300.0
"""What went on within so long is wrong now."""
_DAY_S = 86_400.0
KEYS = (
    *("monitor ", "certificate ", "process ", "budget ", "limit ", "spending "),
    *("errors", "latency", "memory", "disk", "offline", "security "),
)
"""How the keys of these conditions begin; alerts of other keys are raised and cleared by who found them."""


def wrongs(state: AppState, monitors: Sequence[MonitorStatus], on: Drivers, now: float) -> list[Condition]:
    """Everything that is wrong with a live app. Quick: no network, no process."""
    rules = keeping_rules(state)
    if rules is None or not state.live:
        return []
    limited = {each.of for each in rules.alerts.limits}
    return [
        *_monitors(state, monitors, now),
        *_processes(state, on),
        *(_errors(state, on.metrics, now) if "errors" not in limited else ()),
        *(_slow(state, on.metrics, now) if limited.isdisjoint(TIMES) else ()),
        *_memory(state, on, now),
        *(_disk(state, on) if "disk" not in limited else ()),
        *_budgets(state, on.metrics, now),
        *passed_limits(state, rules.alerts.limits, on, now),
        *_security(state, on, now),
    ]


def _monitors(state: AppState, monitors: Sequence[MonitorStatus], now: float) -> list[Condition]:
    rules = keeping_rules(state)
    keys_of = {keys.name: keys for keys in rules.monitors} if rules else {}
    out: list[Condition] = []
    for it in monitors:
        keys = keys_of.get(it.name)
        if it.state is MonitorState.DOWN:
            severity = Severity(keys.severity) if keys else Severity.CRITICAL
            out.append(
                Condition(f"monitor {it.name}", words.down(state.app, it), severity, clear_s=0.0, since=it.since)
            )
        days = keys.certificate_days if keys else 14
        left_s = it.certificate_until - now
        if it.certificate_until and left_s < days * _DAY_S:
            severity = Severity.CRITICAL if left_s < 3 * _DAY_S else Severity.WARNING
            out.append(
                Condition(f"certificate {it.name}", words.certificate(state.app, it, left_s), severity, clear_s=0.0)
            )
    offline = [it.name for it in monitors if it.state is MonitorState.OFFLINE]
    if offline:
        out.append(Condition("offline", words.offline(state.app, offline), Severity.NOTE, for_s=30.0))
    return out


def _processes(state: AppState, on: Drivers) -> list[Condition]:
    out: list[Condition] = []
    for it in on.runtime.instances(state.app):
        if it.spec.release != state.live:
            continue
        name = f"{it.spec.process} {it.spec.number + 1}"
        if it.state is InstanceState.CRASH_LOOP:
            problem = words.process("process.crash-loop", state.app, name, it.exit_code, "keeps ending")
            out.append(Condition(f"process {name}", problem, Severity.CRITICAL))
        elif it.restarts and on.clock.now() - it.started_at < 30.0:
            problem = words.process(
                "process.ended", state.app, name, it.exit_code, "ended by itself and was started again"
            )
            out.append(Condition(f"process {name}", problem, Severity.WARNING))
    return out


def _errors(state: AppState, metrics: Metrics, now: float) -> list[Condition]:
    served = failed = 0
    for subject in _releases(state.app, metrics):
        got = metrics.counts(state.app, subject, Level.FINE, now - BURST_S, now + 60)
        served, failed = served + got[0], failed + got[1]
    if failed < BURST_LEAST or failed < BURST_RATE * (served + failed):
        return []
    return [Condition("errors", words.burst(state.app, failed, served + failed), Severity.CRITICAL, clear_s=BURST_S)]


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
    return [Condition("latency", words.slower(state.app, is_ms, was_ms), Severity.WARNING, for_s=30.0, clear_s=120.0)]


def _memory(state: AppState, on: Drivers, now: float) -> list[Condition]:
    points = on.metrics.read(state.app, release_subject(state.live), Level.FINE, now - LEAK_S, now + 60)
    found = [(at, point.gauges[MEMORY].mean) for at, point in points if MEMORY in point.gauges]
    rules = keeping_rules(state)
    process = rules.manifest.processes.get("web") if rules else None
    limit = process.memory_bytes * process.instances if process else 0
    newest = [used for at, used in found if at > now - 60]
    if limit and newest and min(newest) > NEARLY_FULL * limit:
        problem = words.nearly_full(state.app, state.live, newest[-1], limit)
        return [Condition("memory full", problem, Severity.WARNING, for_s=30.0, clear_s=60.0)]
    return _leak(state, found, limit or on.machine.memory_bytes())


def _leak(state: AppState, found: list[tuple[float, float]], limit: float) -> list[Condition]:
    for over_s, near_s in LEAKS:
        some = [each for each in found if each[0] >= found[-1][0] - over_s]
        some = some[len(some) % 2 :: max(1, len(some) // 60)]
        if not some or some[-1][0] - some[0][0] < LEAK_MOST_OF * over_s:  # warming up grows as well
            continue
        first, last = some[0][1], some[-1][1]
        if last - first < max(LEAK_LEAST_BYTES, LEAK_LEAST * first):
            continue
        whole, half, quarter = (slope(some[len(some) * part // 4 :]) for part in (0, 2, 3))
        if whole is None or half is None or min(each.low for each in (whole, half, quarter) if each is not None) <= 0:
            continue
        left_s = max(0.0, limit - last) / half.median
        if left_s <= near_s:
            problem = words.leaking(state.app, state.live, first, last, some[-1][0] - some[0][0], left_s)
            return [Condition("memory", problem, Severity.WARNING, clear_s=120.0)]
    return []


def _disk(state: AppState, on: Drivers) -> list[Condition]:
    free, whole = on.machine.disk_free_bytes(), on.machine.disk_bytes()
    severity = disk_severity(free, whole)
    if severity is None:
        return []
    return [Condition("disk", words.full(state.app, free, whole, str(on.home.root)), severity, clear_s=60.0)]


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
            problem = words.burning(state.app, it.name, firing.long_rate, firing.long_s, it.says)
            out.append(Condition(f"budget {it.name}", problem, severity, clear_s=firing.short_s))
        elif is_spent(it, least_of.get(it.name, 10)) and not it.is_own:
            problem = words.spent(state.app, it.name, it.says)
            out.append(Condition(f"budget {it.name}", problem, Severity.WARNING, clear_s=60.0))
    return out


def _security(state: AppState, on: Drivers, now: float) -> list[Condition]:
    """Only where the manifest asks for it: who has a public address is scanned all day."""
    rules = keeping_rules(state)
    if rules is None or not rules.alerts.security:
        return []
    found = on.security_log.events(state.app, now - SECURITY_S)
    tried = [it for it in found if it.kind is SecurityKind.LOG_INS]
    met = [it for it in found if it.kind is SecurityKind.SCAN and it.answered]
    out = (
        [Condition("security log-ins", words.guessed(state.app, tried), Severity.WARNING, clear_s=60.0)]
        if tried
        else []
    )
    if met:
        out.append(Condition("security scan", words.scanned(state.app, met), Severity.CRITICAL, clear_s=60.0))
    return out


def _releases(app: str, metrics: Metrics) -> list[str]:
    return [subject for subject in metrics.subjects(app) if subject.startswith(release_subject(""))]
