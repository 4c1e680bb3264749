"""Events of the home itself: its agent, its schedules, its clock."""

from __future__ import annotations

from underway.journal.events.event import Event


class AgentStarted(Event, frozen=True, kw_only=True, tag="agent_started"):
    version: str
    pid: int
    adopted: int = 0


class ScheduleMissed(Event, frozen=True, kw_only=True, tag="schedule_missed"):
    """Something that is done every so often was not done for too long. `what` is backup | drill | verify."""

    what: str
    overdue_s: float
    because: str = ""


class ClockJumped(Event, frozen=True, kw_only=True, tag="clock_jumped"):
    """The machine's clock was set by this many seconds (negative: back), so schedules are counted anew."""

    by_s: float
