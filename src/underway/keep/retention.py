"""Which backups stay: grandfather, father, son."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

import msgspec

from underway.terms.backup import Kept

_DAY_S = 86_400.0


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How many days, weeks and months keep one backup each. All of the last day stay as well."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 6


def to_remove(kept: Sequence[Kept], policy: Retention, now: float, pinned: Collection[str] = ()) -> tuple[str, ...]:
    """The ids of backups to remove, oldest first.

    Kept are: the newest good one of each of the last `daily` days, `weekly` weeks and `monthly` months that have one
    (UTC; weeks after ISO 8601); everything younger than a day; what has a name (a snapshot); what is `pinned`; and
    always the newest good one and the newest proven one, whatever the policy says. A damaged one takes no place, and
    goes once it is a week old and a good newer one is there. One from the future (the clock was set back) stays.
    """
    good = sorted((it for it in kept if not it.damage), key=lambda it: it.backup.at, reverse=True)
    stays = {it.backup.id for it in good[:1]}
    stays |= {it.backup.id for it in [it for it in good if it.proof][:1]}
    counted = [it for it in good if not it.backup.name]
    for count, bucket in ((policy.daily, _day), (policy.weekly, _week), (policy.monthly, _month)):
        stays |= _newest_of_each(counted, count, bucket)
    for it in kept:
        age_s = now - it.backup.at
        is_mourned = bool(it.damage) and (age_s < 7 * _DAY_S or not good or good[0].backup.at < it.backup.at)
        if it.backup.name or it.backup.id in pinned or (not it.damage and age_s < _DAY_S) or is_mourned:
            stays.add(it.backup.id)
    gone = [it for it in kept if it.backup.id not in stays]
    return tuple(it.backup.id for it in sorted(gone, key=lambda it: it.backup.at))


def _newest_of_each(
    newest_first: Sequence[Kept], count: int, bucket: Callable[[datetime], tuple[int, ...]]
) -> set[str]:
    chosen: dict[tuple[int, ...], str] = {}
    for it in newest_first:
        period = bucket(datetime.fromtimestamp(it.backup.at, UTC))
        if period not in chosen:
            if len(chosen) >= count:
                break
            chosen[period] = it.backup.id
    return set(chosen.values())


def _day(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month, at.day)


def _week(at: datetime) -> tuple[int, ...]:
    return tuple(at.isocalendar()[:2])


def _month(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month)
