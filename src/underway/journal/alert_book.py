"""What the journal says of one app's alerts: those that stand, those that are over, and what must still be told."""

from __future__ import annotations

import msgspec

from underway.journal.events.alerts import AlertAcknowledged, AlertCleared, AlertRaised, AlertSilenced, MessageDecided
from underway.terms.alert import Alert, AlertStanding, Telling

OVER_KEPT = 200
"""So many alerts that are over are remembered, for the history and for what must still be told of them."""


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was decided, and that the channel has not taken as far as the journal knows."""

    message: str
    channel: str
    what: str
    alerts: tuple[str, ...]
    at: float


class AlertBook(msgspec.Struct, kw_only=True):
    """`standing` by key; `over` oldest first; `outbox` by message, in the order they were decided in."""

    standing: dict[str, Alert] = msgspec.field(default_factory=dict)
    over: list[Alert] = msgspec.field(default_factory=list)
    silences: dict[str, AlertSilenced] = msgspec.field(default_factory=dict)
    outbox: dict[str, Undelivered] = msgspec.field(default_factory=dict)

    def raised(self, event: AlertRaised, at: float, seq: int, live: str) -> None:
        """Raised anew, or the matter got another reason: then it is the same alert with that reason."""
        known = self.standing.get(event.key)
        if known is not None:
            self.standing[event.key] = msgspec.structs.replace(
                known, problem=event.problem, severity=event.severity, step=event.step, runbook=event.runbook
            )
            return
        self.standing[event.key] = Alert(
            app=event.app,
            key=event.key,
            id=f"{event.app}-{seq}",
            problem=event.problem,
            severity=event.severity,
            standing=AlertStanding.OPEN,
            since=event.since or at,
            raised_at=at,
            release=event.release or live,
            users_touched=event.users_touched,
            step=event.step,
            runbook=event.runbook,
        )

    def cleared(self, event: AlertCleared, at: float) -> None:
        known = self.standing.pop(event.key, None)
        if known is not None:
            over = msgspec.structs.replace(known, standing=AlertStanding.CLEARED, cleared_at=at, because=event.because)
            self.over = [*self.over[1 - OVER_KEPT :], over]

    def acknowledged(self, event: AlertAcknowledged) -> None:
        known = self.standing.get(event.key)
        if known is not None:
            self.standing[event.key] = msgspec.structs.replace(known, standing=AlertStanding.ACKNOWLEDGED, by=event.by)

    def silenced(self, event: AlertSilenced) -> None:
        self.silences.pop(event.key, None)
        if event.until > 0:
            self.silences[event.key] = event

    def decided(self, event: MessageDecided, at: float) -> None:
        self.outbox[event.message] = Undelivered(
            message=event.message, channel=event.channel, what=event.what, alerts=event.alerts, at=at
        )

    def told(self, message: str, at: float, problem: str = "") -> None:
        """The message was taken, or given up for `problem`."""
        sent = self.outbox.pop(message, None)
        if sent is None:
            return
        telling = Telling(at=at, channel=sent.channel, what=sent.what, problem=problem)
        for key, alert in self.standing.items():
            if alert.id in sent.alerts:
                self.standing[key] = msgspec.structs.replace(alert, told=(*alert.told, telling))
        self.over = [
            msgspec.structs.replace(alert, told=(*alert.told, telling)) if alert.id in sent.alerts else alert
            for alert in self.over
        ]

    def seen(self, now: float) -> list[Alert]:
        """Those that stand, as they are at `now`: a silence ends by itself."""
        return [self._as_of(alert, now) for alert in self.standing.values()]

    def _as_of(self, alert: Alert, now: float) -> Alert:
        silence = self.silences.get(alert.key) or self.silences.get("*")
        if silence is None or silence.until <= now or alert.standing is not AlertStanding.OPEN:
            return alert
        return msgspec.structs.replace(alert, standing=AlertStanding.SILENCED, by=silence.by, until=silence.until)
