"""From one check to the next: when a monitor is down, up, or cannot say."""

from __future__ import annotations

from dataclasses import dataclass

from underway.terms.monitor import Checked, MonitorState


@dataclass(frozen=True)
class Quorum:
    """Down when `fails` of the last `of` checks failed; up again when the last `passes` all passed."""

    fails: int = 2
    of: int = 3
    passes: int = 2


@dataclass(frozen=True)
class Standing:
    """How a monitor stands. `first_failed_at` is when the run of failures began."""

    state: MonitorState = MonitorState.WAITING
    since: float = 0.0
    says: str = ""
    recent: tuple[bool, ...] = ()
    """The latest checks, oldest first: True passed."""
    first_failed_at: float = 0.0
    last: Checked | None = None


def judge(
    before: Standing, checked: Checked, quorum: Quorum, *, is_offline: bool = False, is_announced: bool = False
) -> Standing:
    """The standing after one more check. `is_offline`: this machine reaches nothing outside, so a failure says nothing
    of the site and is not counted. `is_announced`: a window or the maintenance page."""
    if not checked.passed and is_offline:
        return _at(
            before, MonitorState.OFFLINE, checked, before.recent, before.first_failed_at, "this machine is offline"
        )
    recent = (*before.recent, checked.passed)[-max(quorum.of, quorum.passes) :]
    is_well = all(recent[-quorum.passes :])
    failed_at = before.first_failed_at
    if not checked.passed:
        failed_at = failed_at or checked.at
    elif is_well:
        failed_at = 0.0
    was_down = before.state in (MonitorState.DOWN, MonitorState.MAINTENANCE)
    if is_well:
        return _at(before, MonitorState.UP, checked, recent, failed_at, "")
    if was_down or recent[-quorum.of :].count(False) >= quorum.fails:
        state = MonitorState.MAINTENANCE if is_announced else MonitorState.DOWN
        return _at(before, state, checked, recent, failed_at, checked.came or before.says)
    is_first = before.state in (MonitorState.WAITING, MonitorState.OFFLINE) and not checked.passed
    state = MonitorState.WAITING if is_first else MonitorState.UP
    return _at(before, state, checked, recent, failed_at, checked.came)


def _at(
    before: Standing, state: MonitorState, checked: Checked, recent: tuple[bool, ...], failed_at: float, says: str
) -> Standing:
    since = before.since if state is before.state else (failed_at or checked.at)
    if state is MonitorState.UP and before.state is not MonitorState.UP:
        since = checked.at
    return Standing(state, since, says, recent, failed_at, checked)


def uptime(passed: int, failed: int) -> float | None:
    """The share of checks that passed, None without any."""
    return passed / (passed + failed) if passed + failed else None
