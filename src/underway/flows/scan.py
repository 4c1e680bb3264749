"""Look for secrets that are in the repository."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import msgspec

from underway.leaks.allow import ALLOW_FILE, apply_allowed, read_allowed
from underway.ports.leak_search import LeakSearch
from underway.terms.leak import Leak, Searched, Weight


class AllowedLeak(msgspec.Struct, frozen=True, kw_only=True):
    """A leak that the allow file lets stand, with the reason given there."""

    leak: Leak
    reason: str


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found, without any secret. `stale` are entries of the allow file that are over or fit nothing."""

    searched: Searched
    leaks: tuple[Leak, ...]
    doubtful: tuple[Leak, ...]
    allowed: tuple[AllowedLeak, ...]
    stale: tuple[str, ...]


def scan(
    search: LeakSearch,
    root: str,
    *,
    with_history: bool,
    today: datetime.date,
    tell: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> ScanReport:
    """Search `root`, take out what its allow file lets stand. Raises `Refusal` (`scan.path`, `scan.allow-file`)."""
    searched = search.search(root, with_history=with_history, tell=tell)
    allowed = read_allowed(searched.allow_text)
    order = sorted(searched.leaks, key=lambda leak: (not leak.is_in_tree, leak.path, leak.line, leak.rule))
    stay, let, stale = apply_allowed(tuple(order), allowed, today)
    return ScanReport(
        searched=msgspec.structs.replace(searched, leaks=(), allow_text=""),
        leaks=tuple(leak for leak in stay if leak.weight is Weight.LEAK),
        doubtful=tuple(leak for leak in stay if leak.weight is Weight.DOUBTFUL),
        allowed=tuple(AllowedLeak(leak=leak, reason=reason) for leak, reason in let),
        stale=tuple(f"{ALLOW_FILE} allow {one.number}: {one.reason}" for one in stale),
    )
