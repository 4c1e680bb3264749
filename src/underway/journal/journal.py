"""The journal: records events, keeps the folded state, lets others follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from underway.journal.app_state import AppState
from underway.journal.events.every_event import AnyEvent
from underway.journal.fold import apply, fold
from underway.journal.recorded import Recorded, decode, encode
from underway.journal.transitions import follow_on, holder
from underway.ports.event_log import EventLog, Line


class Journal:
    """One home's journal over an `EventLog`. Opening it folds everything that was ever recorded."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._states = fold(_recorded(line) for line in log.read())

    def record(self, *events: AnyEvent) -> list[Recorded]:
        """Append `events` durably, all or none, and advance the state.

        Raises `IllegalTransition` before anything is written when one of them cannot follow.
        """
        holds = {app: holder(self._states.get(app)) for app in {event.app for event in events}}
        for event in events:
            holds[event.app] = follow_on(holds[event.app], event)
        lines = self._log.append([(event.app, event.act, encode(event)) for event in events])
        records = [Recorded(seq=line.seq, at=line.at, event=event) for line, event in zip(lines, events, strict=True)]
        for record in records:
            apply(self._states, record)
        return records

    def state(self, app: str) -> AppState:
        """The state of `app`; an empty one when the journal does not know it."""
        return self._states.get(app) or AppState(app=app)

    def states(self) -> Mapping[str, AppState]:
        return self._states

    def read(self, after: int = 0, app: str = "", act: str = "", limit: int = 0) -> list[Recorded]:
        return [_recorded(line) for line in self._log.read(after, app, act, limit)]

    async def follow(self, after: int, app: str = "", act: str = "") -> AsyncIterator[Recorded]:
        """What was recorded after number `after`, and then everything new, without end."""
        async for line in self._log.follow(after, app, act):
            yield _recorded(line)


def _recorded(line: Line) -> Recorded:
    return Recorded(seq=line.seq, at=line.at, event=decode(line.text))
