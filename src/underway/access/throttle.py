"""How often somebody may try to log in."""

from __future__ import annotations

from dataclasses import dataclass, field

FREE_TRIES = 5
LONGEST_S = 900.0
FORGET_S = 3600.0
_MOST = 10_000


@dataclass
class Throttle:
    """Wrong tries by key (an account's name, an address). After five of them the next must wait 2 s, then 4, 8 … up to
    a quarter of an hour; a right one, or an hour of silence, forgets them. Guessing 10^6 codes would take years."""

    _wrong: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait_s(self, key: str, now: float) -> float:
        """How long until `key` may try again, 0 for now."""
        count, last = self._wrong.get(key, (0, 0.0))
        if count < FREE_TRIES or now - last > FORGET_S:
            return 0.0
        return max(0.0, last + min(2.0 ** min(count - FREE_TRIES + 1, 20), LONGEST_S) - now)

    def note_wrong(self, key: str, now: float) -> int:
        """Count a wrong try; return how many there were."""
        count, last = self._wrong.get(key, (0, 0.0))
        count = 1 if now - last > FORGET_S else count + 1
        if key not in self._wrong and len(self._wrong) >= _MOST:
            del self._wrong[min(self._wrong, key=lambda it: self._wrong[it][1])]
        self._wrong[key] = (count, now)
        return count

    def forget(self, key: str) -> None:
        self._wrong.pop(key, None)
