"""What takes a release back within the watch after a switch: absolute signs that need no statistics. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from underway.terms.verdict import Action, Verdict


@dataclass(frozen=True)
class WatchLimits:
    """What a release may not do. `memory_bytes` is per instance; 0 for no limit."""

    failed_health_checks: int
    memory_bytes: int
    for_s: float


@dataclass(frozen=True)
class InstanceSigns:
    """What was seen of one instance: checks failed in a row, and memory in the last three samples."""

    name: str
    failed_in_a_row: int
    last_failure: str
    memory_bytes: tuple[int, ...]
    has_died: bool
    exit_code: int | None


def judge_watch(limits: WatchLimits, signs: tuple[InstanceSigns, ...], watched_s: float) -> Verdict:
    """Roll back on failed checks in a row, on death, or on memory over the limit in three samples in a row."""
    for seen in signs:
        if seen.has_died:
            return Verdict(
                action=Action.ROLL_BACK,
                because=f"{seen.name} ended with exit code {seen.exit_code} {watched_s:.1f} s after the switch",
            )
        if seen.failed_in_a_row >= limits.failed_health_checks:
            return Verdict(
                action=Action.ROLL_BACK,
                because=f"{seen.name} failed {seen.failed_in_a_row} health checks in a row"
                f" {watched_s:.1f} s after the switch: {seen.last_failure}",
            )
        over = [size for size in seen.memory_bytes[-3:] if limits.memory_bytes and size > limits.memory_bytes]
        if len(over) == 3:
            return Verdict(
                action=Action.ROLL_BACK,
                because=f"{seen.name} used {over[-1] / 1e6:.0f} MB in three samples in a row,"
                f" over the limit of {limits.memory_bytes / 1e6:.0f} MB",
            )
    if watched_s < limits.for_s:
        return Verdict(action=Action.WAIT, because=f"watching for {limits.for_s - watched_s:.1f} s more")
    return Verdict(
        action=Action.CONTINUE, because=f"every health check passed and nothing died in {watched_s:.1f} s of watching"
    )
