"""Which messages are due to which channel: pure, so that the same journal always gives the same messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from underway.terms.alert import Alert, AlertStanding, Severity

_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.NOTE: 2}
RAISED, CLEARED = "raised", "cleared"
GIVE_UP_AFTER_S = 86_400.0
"""A message that was not taken for a day is given up."""
TOLD_LATE_S = 3600.0
"""That an alert is over is told at most so long after: nobody needs it later."""


@dataclass(frozen=True)
class Reach:
    """Whom a channel tells of what: alerts of at least `severity`, `after_s` after they were raised (an escalation,
    unless somebody acknowledged meanwhile). `is_grouping`: several alerts may come in one message."""

    channel: str
    severity: Severity = Severity.WARNING
    after_s: float = 0.0
    is_grouping: bool = True


@dataclass(frozen=True)
class Due:
    """A message to send: `message` is its name, the same for the same alerts."""

    message: str
    channel: str
    what: str
    alerts: tuple[str, ...]


def due(
    standing: Iterable[Alert],
    over: Iterable[Alert],
    pending: Iterable[tuple[str, str, Sequence[str]]],
    reaches: Sequence[Reach],
    now: float,
    is_quiet: Callable[[float], bool] = lambda _: False,
) -> list[Due]:
    """What shall be decided at `now`. `pending` are (channel, what, alerts) of messages that were decided and not
    delivered. In quiet hours only critical alerts are told; the others follow when those are over."""
    on_their_way = {(channel, what, each) for channel, what, alerts in pending for each in alerts}
    quiet = is_quiet(now)
    out: list[Due] = []
    standing, over = list(standing), list(over)
    for reach in reaches:
        raised = [
            alert
            for alert in standing
            if _RANK[alert.severity] <= _RANK[reach.severity]
            and _is_wanted(alert, reach, now)
            and (not quiet or alert.severity is Severity.CRITICAL)
            and not _was_told(alert, reach.channel, RAISED)
            and (reach.channel, RAISED, alert.id) not in on_their_way
        ]
        cleared = [
            alert
            for alert in over
            if now - alert.cleared_at <= TOLD_LATE_S
            and (_was_told(alert, reach.channel, RAISED) or (reach.channel, RAISED, alert.id) in on_their_way)
            and not _was_told(alert, reach.channel, CLEARED)
            and (reach.channel, CLEARED, alert.id) not in on_their_way
        ]
        for what, alerts in ((RAISED, raised), (CLEARED, cleared)):
            groups = [alerts] if reach.is_grouping and len(alerts) > 1 else [[each] for each in alerts]
            out += [_due(reach.channel, what, group) for group in groups]
    return out


def _is_wanted(alert: Alert, reach: Reach, now: float) -> bool:
    """An acknowledged or silenced alert is told to nobody else; an escalation waits for its time."""
    return alert.standing is AlertStanding.OPEN and now - alert.raised_at >= reach.after_s


def _was_told(alert: Alert, channel: str, what: str) -> bool:
    return any(each.channel == channel and each.what == what for each in alert.told)


def _due(channel: str, what: str, alerts: Sequence[Alert]) -> Due:
    ids = tuple(sorted(alert.id for alert in alerts))
    known = "\0".join((channel, what, *ids))
    return Due(hashlib.blake2b(known.encode(), digest_size=12).hexdigest(), channel, what, ids)


def retry_in_s(tries: int) -> float:
    """How long to wait after the `tries`-th failure: 2 s, doubled up to five minutes."""
    return min(300.0, float(2 << min(max(0, tries - 1), 10)))
