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


class Strength(msgspec.Struct, frozen=True, kw_only=True):
    """How strong one kind of evidence is: `value` times what chance gives, and the value that `needed` to act."""

    of: str
    value: float
    needed: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An action and the reason a person reads, with its evidence.

    `because` is one sentence; `evidence` further lines; `waiting_for` what a WAIT waits for and about how long
    ("41 more requests at this pace: 2 min"). `weight` is the share of traffic the candidate shall have from now on
    (None: as it is), `rule` the stable name of the rule that spoke.
    """

    action: Action
    because: str
    evidence: tuple[str, ...] = ()
    waiting_for: str = ""
    weight: float | None = None
    rule: str = ""
    strengths: tuple[Strength, ...] = ()


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one release over a stretch of time. Latency quantiles in milliseconds, 0 without requests.

    `users_touched` are different people who got a failed answer, an estimate above a thousand.
    """

    served: int = 0
    failed: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    users_touched: int = 0
