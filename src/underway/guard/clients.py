"""One sick client is not a sick release.

A client sticks to one release; when it fails in a loop, every failure lands there. So a client's failure (or slow
answer) counts once, and again only after a pause that doubles each time: 1, 2, 4 … minutes. Bounded memory: the least
recently seen client is forgotten.
"""

from __future__ import annotations

import msgspec

REMEMBERED = 1024
FIRST_PAUSE_S = 60.0
DOUBLINGS = 10


class Clients(msgspec.Struct):
    """Client and kind → (counts again from this time on, how often it counted). Kept in order of last sight."""

    seen: dict[str, tuple[float, int]] = msgspec.field(default_factory=dict)

    def counts(self, key: str, at: float, pause_s: float = FIRST_PAUSE_S, doublings: int = DOUBLINGS) -> bool:
        """Whether this outcome of `key` at time `at` is to be counted. A client nobody can tell ("") always is."""
        if not key:
            return True
        before = self.seen.pop(key, None)
        if before is not None and at < before[0]:
            self.seen[key] = before
            return False
        times = 0 if before is None else before[1] + 1
        self.seen[key] = (at + pause_s * 2 ** min(times, doublings), times)
        if len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]
        return True

    def is_new(self, key: str) -> bool:
        """Whether `key` was never seen (or is forgotten)."""
        return not key or key not in self.seen
