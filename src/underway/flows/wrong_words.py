"""What is wrong, in words: one problem each, with what to do and the command that shows more."""

from __future__ import annotations

from collections.abc import Sequence

from underway.flows.keeping_rules import OWN_MONITOR
from underway.guard.words import percent, span
from underway.terms.monitor import MonitorKind, MonitorStatus
from underway.terms.problem import Problem
from underway.terms.security import SecurityEvent


def down(app: str, it: MonitorStatus) -> Problem:
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


def certificate(app: str, it: MonitorStatus, left_s: float) -> Problem:
    """A certificate ends soon, and was not renewed."""
    ends = f"ends in {span(left_s)}" if left_s > 0 else f"ended {span(-left_s)} ago"
    return Problem(
        code="certificate.ends",
        where=f"{app} {it.target}",
        why=f"the certificate of {it.target} {ends}",
        remedy="renew it; one that renews itself needs the domain to lead here and port 80 to be open",
        command="underway monitors",
    )


def offline(app: str, names: Sequence[str]) -> Problem:
    """This machine reaches nothing outside."""
    return Problem(
        code="machine.offline",
        where=app,
        why=f"this machine reaches nothing outside, so {', '.join(names)} cannot be asked (which says nothing of them)",
        remedy="see the machine's network",
        command="underway monitors",
    )


def process(code: str, app: str, name: str, exit_code: int | None, what: str) -> Problem:
    """A process ended by itself."""
    how = f"killed by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit code {exit_code}"
    return Problem(
        code=code,
        where=f"{app} {name}",
        why=f"{name} of {app} {what} ({how})",
        remedy="read the last lines it wrote",
        command=f"underway logs {app}",
    )


def burst(app: str, failed: int, of: int) -> Problem:
    """Many requests fail at once."""
    return Problem(
        code="errors.burst",
        where=app,
        why=f"{failed:,} of {of:,} requests of {app} failed in the last minute ({percent(failed / of)})",
        remedy="see which errors came; if they began with a release, go back",
        command=f"underway logs {app}",
    )


def slower(app: str, is_ms: float, was_ms: float) -> Problem:
    """Answers take much longer than they did."""
    return Problem(
        code="latency.slow",
        where=app,
        why=f"answers of {app} are slow: p95 {is_ms:,.0f} ms in the last minute, {was_ms:,.0f} ms in the hour before",
        remedy="see what is slow: the database, what the app calls, the machine",
        command=f"underway db stats {app}",
    )


def leaking(app: str, release: str, first: float, last: float, over_s: float, left_s: float) -> Problem:
    """Memory grows without end."""
    return Problem(
        code="memory.leak",
        where=f"{app} {release}",
        why=f"memory of {app} grows steadily: {first / 1e6:,.0f} MB to {last / 1e6:,.0f} MB in {span(over_s)}; "
        f"it runs out in {span(left_s)}",
        remedy="restart it to gain time, and look for what the release keeps",
        command=f"underway status {app}",
    )


def full(app: str, free: int, whole: int, home: str) -> Problem:
    """The disk of the home is nearly full."""
    return Problem(
        code="disk.nearly-full",
        where=home,
        why=f"the disk that holds {app} has {free / 1e9:,.1f} GB of {whole / 1e9:,.1f} GB left",
        remedy="make room: old backups, logs, or what else is on this disk",
        command=f"du -xh --max-depth=2 {home} | sort -h | tail",
    )


def burning(app: str, name: str, rate: float, over_s: float, says: str) -> Problem:
    """An error budget burns too fast."""
    return Problem(
        code="slo.burning",
        where=f"{app} {name}",
        why=f"the error budget {name} of {app} burns {rate:,.1f}× too fast over {span(over_s)}: {says}",
        remedy="see what fails; if it began with a release, go back",
        command=f"underway slo {app}",
    )


def spent(app: str, name: str, says: str) -> Problem:
    """An error budget is gone."""
    return Problem(
        code="slo.spent",
        where=f"{app} {name}",
        why=f"the error budget {name} of {app} is spent: {says}",
        remedy="mend what fails before anything new is released",
        command=f"underway slo {app}",
    )


def nearly_full(app: str, release: str, used: float, limit: float) -> Problem:
    """Memory is near the limit that the manifest gives it."""
    return Problem(
        code="memory.nearly-full",
        where=f"{app} {release}",
        why=f"{app} uses {used / 1e6:,.0f} MB of memory, {percent(used / limit)} of its limit",
        remedy="at the limit its process is ended and started again: deploy again to gain time, or raise the limit",
        command=f"underway status {app}",
    )


def passed(app: str, name: str, measure: str, is_: str, bound: str, over_s: float) -> Problem:
    """A limit of the manifest was passed."""
    return Problem(
        code="limit.passed",
        where=f"{app} {name}",
        why=f"{name} of {app}: {measure} {is_} over {span(over_s)}, {bound}",
        remedy="see what changed: a release, the traffic, the machine",
        command=f"underway status {app}",
    )


def guessed(app: str, events: Sequence[SecurityEvent]) -> Problem:
    """Somebody tries log-ins one after the other."""
    clients = ", ".join(it.client for it in events[:3]) + (f" and {len(events) - 3} more" if len(events) > 3 else "")
    return Problem(
        code="security.log-ins",
        where=app,
        why=f"{app} refused {sum(it.times for it in events):,} log-ins of {clients}",
        remedy="see whether accounts are held up after wrong tries, and keep these addresses out if it goes on",
        command=f"underway security --app {app}",
    )


def scanned(app: str, events: Sequence[SecurityEvent]) -> Problem:
    """A scan found something."""
    what = ", ".join(events[0].samples[:3])
    return Problem(
        code="security.scan",
        where=app,
        why=f"a scan from {events[0].client} was answered by {app}: it asked for {what}",
        remedy="ask for these paths yourself; what should not be public must not be answered",
        command=f"underway security --app {app}",
    )
