"""How many people met a failure: exact while they are few, an estimate when they are many."""

from __future__ import annotations

import msgspec

from underway.terms.route import Request

KEPT = 1_024
"""Exact up to here; beyond it the standard error is 1 in √1,022, about 3 %."""
_SPACE = 1 << 64


class Distinct(msgspec.Struct):
    """Counts different names by the smallest of their hashes (k minimum values; Beyer, Haas, Reinwald, Sismanis and
    Gemulla, SIGMOD 2007). The names are hashes of 64 bits already."""

    smallest: set[int] = msgspec.field(default_factory=set)
    largest: int = -1
    """The largest one kept, once `KEPT` are."""

    def add(self, hashed: int) -> None:
        if self.largest >= 0 and hashed >= self.largest:
            return
        self.smallest.add(hashed)
        if len(self.smallest) > KEPT:
            self.smallest.remove(max(self.smallest))
        if len(self.smallest) == KEPT:
            self.largest = max(self.smallest)

    def merge(self, other: Distinct) -> None:
        for hashed in other.smallest:
            self.add(hashed)

    @property
    def count(self) -> int:
        if len(self.smallest) < KEPT:
            return len(self.smallest)
        return round((KEPT - 1) * _SPACE / (self.largest + 1))


class Touched(msgspec.Struct):
    """Distinct people with a failed answer: visitors by their cookie, others by their address and browser.

    Somebody's very first request carries no cookie yet. When the same address and browser later fails with one, that
    was one person: an address counts only while no visitor with a cookie came from it.
    """

    visitors: Distinct = msgspec.field(default_factory=Distinct)
    without: Distinct = msgspec.field(default_factory=Distinct)
    """Addresses that failed without a cookie."""
    homes: Distinct = msgspec.field(default_factory=Distinct)
    """Addresses of the visitors."""

    def add(self, request: Request) -> None:
        """Note who got the failed answer."""
        address = _hashed(request.address)
        if request.is_sticky:
            self.visitors.add(_hashed(request.client))
            self.homes.add(address)
        else:
            self.without.add(address)

    @property
    def count(self) -> int:
        alone = len(self.without.smallest - self.homes.smallest)
        of_them = alone / len(self.without.smallest) if alone else 0.0
        return self.visitors.count + round(self.without.count * of_them)


def _hashed(name: str) -> int:
    """The 64 bits of a client's name; 0 for what is none (a log of another make)."""
    try:
        return int(name, 16) % _SPACE
    except ValueError:
        return 0
