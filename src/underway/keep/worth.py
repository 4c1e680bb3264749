"""What a backup is worth, and whether an app's backups are what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec

from underway.terms.backup import Condition, Kept

AHEAD_S = 300.0
"""A backup from further in the future than this was made before the clock was set back."""
_LATE = 1.5
"""Times its interval: a schedule this old has missed its turn, and not only been a little late."""


def is_named_production(app: str) -> bool:
    """True where a word of the app's name says that people depend on it: its data is not thrown away whatever else
    is written down."""
    return bool({"prod", "production", "live"} & set(app.split("-")))


def condition(kept: Kept) -> Condition:
    """Damaged outranks proven: what was restored once may have rotted since."""
    if kept.damage:
        return Condition.DAMAGED
    return Condition.PROVEN if kept.proof else Condition.UNPROVEN


class Standing(Enum):
    """How an app's backups stand as a whole."""

    NONE = "none"
    DAMAGED = "damaged"
    LATE = "late"
    UNPROVEN = "unproven"
    PROVEN = "proven"
    OFF = "off"


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What a person should know of an app's backups in one line. `age_s` is that of the newest good one."""

    standing: Standing
    says: str
    newest: str = ""
    age_s: float = 0.0
    proven_age_s: float | None = None


def outlook(kept: Sequence[Kept], every_s: float, drill_every_s: float, now: float, since: float) -> Outlook:
    """Judge an app's backups. `every_s` and `drill_every_s` are the schedules (0 for none); `since` is when the app
    first went live, from when on a backup is expected."""
    good = sorted((it for it in kept if not it.damage), key=lambda it: it.backup.at, reverse=True)
    usable = [it for it in good if it.backup.at <= now + AHEAD_S]
    newest = usable[0] if usable else None
    proven = max((it.proof.at for it in usable if it.proof), default=None)
    proven_age_s = max(0.0, now - proven) if proven is not None else None
    age_s = max(0.0, now - newest.backup.at) if newest else 0.0

    def look(standing: Standing, says: str) -> Outlook:
        newest_id = newest.backup.id if newest else ""
        return Outlook(standing=standing, says=says, newest=newest_id, age_s=age_s, proven_age_s=proven_age_s)

    latest = max(kept, key=lambda it: it.backup.id, default=None)
    if latest is not None and latest.damage:
        return look(Standing.DAMAGED, f"the latest backup {latest.backup.id} is damaged: {latest.damage}")
    if len(good) > len(usable):
        ahead = good[0].backup.id
        return look(Standing.LATE, f"backup {ahead} is from the future: the clock of this machine was set back")
    if newest is None:
        if not every_s:
            return look(Standing.OFF, "there is no schedule and no backup")
        if now - since <= _LATE * every_s:
            return look(Standing.NONE, "no backup yet: the first one is due")
        return look(Standing.LATE, "there is no backup, and one should have been made")
    if every_s and age_s > _LATE * every_s:
        return look(Standing.LATE, f"the newest backup is {age(age_s)} old, one is due every {age(every_s)}")
    if proven_age_s is None:
        return look(Standing.UNPROVEN, "no backup was ever restored to prove it")
    if drill_every_s and proven_age_s > _LATE * drill_every_s:
        due = f"one is due every {age(drill_every_s)}"
        return look(Standing.UNPROVEN, f"the last drill was {age(proven_age_s)} ago, {due}")
    return look(Standing.PROVEN, f"proven by a restore {age(proven_age_s)} ago")


def age(seconds: float) -> str:
    """`3 days`, `1.5 hours`, `20 minutes`."""
    for size, name in ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if seconds >= size:
            count = seconds / size
            shown = f"{count:.0f}" if abs(count - round(count)) < 0.05 else f"{count:.1f}"
            return f"{shown} {name}{'' if shown == '1' else 's'}"
    return "0 seconds"
