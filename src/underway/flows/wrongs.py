"""What is wrong with an app at this moment: figures, monitors and instances become conditions."""

from __future__ import annotations

from collections.abc import Sequence

from underway.alerts.conditions import Condition
from underway.flows import wrong_words as words
from underway.flows.budgets import budgets
from underway.flows.keeping_rules import keeping_rules
from underway.flows.limits import passed_limits
from underway.guard.memory import slope
from underway.journal.state import AppState
from underway.manifest.limits import TIMES
from underway.ports.drivers import Drivers
from underway.ports.metrics import Metrics
from underway.slo.budget import is_spent
from underway.terms.alert import Severity
from underway.terms.metrics import MEMORY, Level, Point, release_subject
from underway.terms.monitor import MonitorState, MonitorStatus
from underway.terms.process import InstanceState
from underway.terms.security import SecurityEvent, SecurityKind

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
<<<<<<< HEAD
KEYS = ("monitor ", "certificate ", "process ", "budget ", "limit ", "errors", "latency", "memory", "disk", "offline")
=======
KEYS = (
    "monitor ",
    "certificate ",
    "process ",
    "budget ",
    "errors",
    "latency",
    "memory",
    "disk",
    "offline",
    "security ",
)
>>>>>>> f1ae299 (Keep what apps write for search, their errors across releases, and who tried to get in)
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
<<<<<<< HEAD
        *passed_limits(state, rules.alerts.limits, on, now),
=======
        *_security(state, on, now),
>>>>>>> f1ae299 (Keep what apps write for search, their errors across releases, and who tried to get in)
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
    out = [Condition("security log-ins", _guessed(state.app, tried), Severity.WARNING, clear_s=60.0)] if tried else []
    if met:
        out.append(Condition("security scan", _scanned(state.app, met), Severity.CRITICAL, clear_s=60.0))
    return out


def _releases(app: str, metrics: Metrics) -> list[str]:
    return [subject for subject in metrics.subjects(app) if subject.startswith(release_subject(""))]
<<<<<<< HEAD
=======


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


def _guessed(app: str, events: Sequence[SecurityEvent]) -> Problem:
    """Somebody tries log-ins one after the other."""
    clients = ", ".join(it.client for it in events[:3]) + (f" and {len(events) - 3} more" if len(events) > 3 else "")
    return Problem(
        code="security.log-ins",
        where=app,
        why=f"{app} refused {sum(it.times for it in events):,} log-ins of {clients}",
        remedy="see whether accounts are held up after wrong tries, and keep these addresses out if it goes on",
        command=f"underway security --app {app}",
    )


def _scanned(app: str, events: Sequence[SecurityEvent]) -> Problem:
    """A scan found something."""
    what = ", ".join(events[0].samples[:3])
    return Problem(
        code="security.scan",
        where=app,
        why=f"a scan from {events[0].client} was answered by {app}: it asked for {what}",
        remedy="ask for these paths yourself; what should not be public must not be answered",
        command=f"underway security --app {app}",
    )
>>>>>>> f1ae299 (Keep what apps write for search, their errors across releases, and who tried to get in)
