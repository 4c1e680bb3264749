"""What the guard says."""

from __future__ import annotations

from enum import Enum

import msgspec


class Action(Enum):
    CONTINUE = "continue"
    ADVANCE = "advance"
    WAIT = "wait"
    ROLL_BACK = "roll_back"
    INCONCLUSIVE = "inconclusive"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An action and the reason a person reads, with its evidence."""

    action: Action
    because: str
    evidence: tuple[str, ...] = ()


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one release over a stretch of time. Latency quantiles in milliseconds, 0 without requests."""

    served: int = 0
    failed: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
