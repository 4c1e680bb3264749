"""Who and what lets a release that has proved itself go on: an order, an approval, the hour. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from underway.guard.words import span
from underway.journal.act_state import Phase
from underway.journal.app_state import AppState
from underway.manifest.release import Approve, Windows
from underway.manifest.windows import DAY_MINUTES, DAYS, WEEK_MINUTES, next_open
from underway.plan.model import Rollout, read_plan
from underway.terms.problem import Problem


class Closed(NamedTuple):
    """Why the release does not go on although it may: `kind` is stable, `waiting_for` is what a person reads."""

    kind: str
    waiting_for: str


def closed(ask: Rollout, app: str, now: float, *, held_by: str, is_dark: bool, is_first: bool) -> Closed | None:
    """The gate that is closed, None when the release may go on. `is_first` is the way to its first users, which
    needs nobody's approval."""
    if held_by:
        return Closed("held", f"the hold by {held_by} to end: underway release advance {app}")
    if ask.approve and not is_first:
        return Closed("approval", f"{approvers(ask.approve)}: underway release advance {app}{_as(ask.approve)}")
    if is_dark and not ask.probing:
        return Closed("dark", f"a person who has looked at it: underway release advance {app}")
    return closed_window(ask.windows, now)


def closed_window(windows: Windows, now: float) -> Closed | None:
    """The hour that is awaited, None when it is one in which releases may get more users."""
    if not windows.allow and not windows.deny:
        return None
    local = datetime.fromtimestamp(now, zone(windows.timezone))
    minute = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
    wait = next_open(minute, windows.allow, windows.deny)
    if not wait:
        return None
    at = (minute + wait) % WEEK_MINUTES
    day, hour = DAYS[at // DAY_MINUTES], at % DAY_MINUTES
    when = f"{day} {hour // 60:02}:{hour % 60:02} ({windows.timezone})"
    return Closed("window", f"{when}, when the release may go on, in {span(wait * 60 - local.second)}")


def approvers(approve: Approve) -> str:
    """`the approval of ana or ben`."""
    return "the approval of " + (" or ".join(approve.by) or ("a second person" if approve.is_second else "a person"))


def _as(approve: Approve) -> str:
    return f" --as {approve.by[0]}" if len(approve.by) == 1 else " --as NAME" if approve.by else ""


def not_yours(app: str, approve: Approve, by: str) -> Problem:
    """The refusal of an order that only named people may give."""
    return Problem(
        code="release.not-yours",
        where=app,
        why=f"it goes on with {approvers(approve)}, and {by} is not among them",
        remedy="ask one of them, or change release.approve in underway.toml; hold and abort are open to everybody",
        command=f"underway release advance {app} --as {approve.by[0]}" if approve.by else "",
    )


def needs_approval(state: AppState) -> bool:
    """Whether the release on its way waits, or will wait, for people at each step."""
    if state.act is None or state.act.phase is not Phase.RUNNING:
        return False
    rollouts = (stage.rollout for stage in read_plan(state.act.plan).stages if stage.rollout)
    return any(rollout.approve and not rollout.is_watch for rollout in rollouts)


def not_your_own(app: str, by: str) -> Problem:
    """The refusal of an approval by who began the deploy."""
    return Problem(
        code="release.own-approval",
        where=app,
        why=f"{by} began this deploy, and release.approve.second_person asks for somebody else's approval",
        remedy="ask another person to look at it; hold and abort are open to everybody",
        command=f"underway status {app}",
    )


def zone(name: str) -> tzinfo:
    """The time zone of a manifest."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)
